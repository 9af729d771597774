# The application's modules as they were when its generation was made: the master has had them copied into
# one file (Keep.swift writes it), from which each worker of the generation imports them, whatever is at their
# paths by then. bootstrap.py runs this text if there is such a file. Files that an application opens itself,
# such as templates, and modules in C are read from their places.
import importlib.machinery as machinery
import importlib.util as util
import linecache, mmap, os, sys, weakref

# A file that was changed less than this before it was copied, in nanoseconds, may have been changed again in
# the same tick of the clock that identifies its compiled form: that form is not used for it.
RACY = 2_000_000_000


class Archive:
    '''The file: a line with the time of the copy, then for each module a line with its time, its length, its
    inode, the time of the inode's last change and the length of its path, followed by the path and the text.
    A master of an earlier release leaves out the two about the inode.'''
    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        end = self.bytes.find(b"\n")
        self.path, self.taken, self.files = path, int(self.bytes[:end].split()[-1]), {}
        at = end + 1
        while at < len(self.bytes):
            end = self.bytes.find(b"\n", at)
            time, size, *inode, length = (int(one) for one in self.bytes[at:end].split())
            text = end + 1 + length
            self.files[os.fsdecode(self.bytes[end + 1:text])] = Kept(self, text, size, time, inode)
            at = text + size


class Kept:
    '''One module's file.'''
    __slots__ = "archive", "at", "size", "time", "inode"
    def __init__(self, archive, at, size, time, inode):
        self.archive, self.at, self.size, self.time, self.inode = archive, at, size, time, inode
    def text(self):
        return self.archive.bytes[self.at:self.at + self.size]
    def is_racy(self):
        return self.archive.taken - self.time < RACY
    def lies_at(self, path):
        try:
            status = os.stat(path)
        except OSError:
            return False
        return (status.st_mtime_ns, status.st_size) == (self.time, self.size)
    def is_untouched(self, path):
        '''Whether the same file is still at its path, and nobody has written to it: time and size prove too
        little, since reproducible builds give the same ones to different texts.'''
        try:
            status = os.stat(path)
        except OSError:
            return False
        return not self.is_racy() and self.size == status.st_size and \
            self.inode == [status.st_ino, status.st_ctime_ns]
    def is_before(self, path):
        '''Whether a compiled form was written after this text was: an older one belongs to another text,
        whatever time and size it names.'''
        return os.stat(path).st_ctime_ns > self.inode[1]


archives, files, directories = [], {}, set()


def use(path):
    '''Makes imports come from this archive first, then from the others of the process, the youngest first.'''
    global files, directories
    archive = next((one for one in archives if one.path == path), None)
    if archive is None:
        archive = Archive(path)
        archives.append(archive)
        archives.sort(key=lambda one: one.taken)
    merged, parents = {}, set()
    for one in [one for one in archives if one is not archive] + [archive]:
        merged.update(one.files)
    for file in merged:
        parent = os.path.dirname(file)
        while parent not in parents and parent != "/":
            parents.add(parent)
            parent = os.path.dirname(parent)
    files, directories = merged, parents
    if hook not in sys.path_hooks:
        sys.path_hooks.insert(0, hook)
    for directory in list(sys.path_importer_cache):
        if directory in directories and not isinstance(sys.path_importer_cache[directory], Finder):
            del sys.path_importer_cache[directory]


def hook(path):
    if path in directories:
        return Finder(path)
    raise ImportError("no modules of it are kept", path=path)


class Loader(machinery.SourceFileLoader):
    '''Takes a module's text from the archive. A module that is reloaded by importlib.reload() is read from
    its file: a caller of that has changed it.'''
    loaded, fresh = weakref.WeakSet(), False
    def exec_module(self, module):
        self.fresh = module in self.loaded
        super().exec_module(module)
        self.loaded.add(module)
    def kept(self, path):
        return None if self.fresh else files.get(path)
    def get_code(self, fullname):
        kept = self.kept(self.path)
        if kept is None:
            return super().get_code(fullname)
        if kept.is_untouched(self.path):
            code = super().get_code(fullname)
            # A compiled form that was replaced while it was read would belong to another text.
            if kept.is_untouched(self.path):
                return code
        return self.source_to_code(kept.text(), self.path)
    def get_data(self, path):
        there, own = self.kept(path), self.kept(self.path)
        if there is not None:
            return there.text()
        data = super().get_data(path)
        if own is not None and path.endswith(".pyc") and (is_unchecked(data) or not own.is_before(path)):
            raise OSError("nothing tells of what text it is")
        return data
    def path_stats(self, path):
        kept = self.kept(path)
        if kept is not None and not kept.is_untouched(path):
            raise OSError("what lies there is compiled from another text")
        return super().path_stats(path)
    def _cache_bytecode(self, source_path, cache_path, data):
        kept = self.kept(source_path)
        if kept is None:
            return super()._cache_bytecode(source_path, cache_path, data)
        # A compiled form for others is not replaced by an older one.
        if kept.is_untouched(source_path):
            super()._cache_bytecode(source_path, cache_path, data)
            if not kept.is_untouched(source_path):
                try:
                    os.unlink(cache_path)
                except OSError:
                    pass


def is_unchecked(data):
    '''Whether a compiled form is accepted for any text (PEP 552).'''
    return data[:4] == util.MAGIC_NUMBER and int.from_bytes(data[4:8], "little") & 3 == 1


class Finder(machinery.FileFinder):
    '''Finds modules of one directory: in the archive, then in the directory itself.'''
    def __init__(self, path):
        super().__init__(path, (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
                         (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
                         (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES))
    def find_spec(self, fullname, target=None):
        base = os.path.join(self.path, fullname.rpartition(".")[2])
        package = os.path.join(base, "__init__.py")
        if package in files:
            return util.spec_from_file_location(fullname, package, loader=Loader(fullname, package),
                                                submodule_search_locations=[base])
        there = super().find_spec(fullname, target)
        if there is not None and isinstance(there.loader, machinery.ExtensionFileLoader):
            return there
        if base + ".py" in files:
            return util.spec_from_file_location(fullname, base + ".py", loader=Loader(fullname, base + ".py"))
        if there is None and base in directories:
            there = machinery.ModuleSpec(fullname, None, is_package=True)
            there.submodule_search_locations = [base]
        return there


def changed():
    '''Files that differ from their kept copies.'''
    return [path for path, kept in list(files.items()) if not kept.lies_at(path)]


def show_lines(trace):
    '''Makes tracebacks show the lines that run, not those that are in the files now.'''
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        kept = files.get(path)
        if kept is not None and not kept.is_untouched(path):
            try:
                text = util.decode_source(kept.text())
                linecache.cache[path] = len(text), None, text.splitlines(True), path
            except (SyntaxError, UnicodeDecodeError):
                pass
        trace = trace.tb_next
