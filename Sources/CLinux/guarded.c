/* Opening by name where others may interfere: decides about links and files that another user could have put
 * in the way. The kernel's fs.protected_symlinks and the like are off on some systems, and do not cover
 * directories without the sticky bit; nothing here relies on them.
 *
 * The path is walked one component at a time, each step relative to the directory that was reached. A link
 * is followed if only its owner and root could have put it there: in a directory that nobody else can write
 * to, or if it is root's or ours. */
#define _GNU_SOURCE
#include "clinux.h"
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>

enum { MOST_LINKS = 40, OVERFLOW_USER = 65534 };

/* Inside a user namespace all owners outside of it appear as user 65534. The map tells whether that number
 * also has an owner inside. */
static int is_mapped(unsigned long user) {
  FILE *map = fopen("/proc/self/uid_map", "re");
  unsigned long first, outside, count;
  int found = 0;
  if (!map) return 1;
  while (!found && fscanf(map, "%lu %lu %lu", &first, &outside, &count) == 3)
    found = user >= first && user - first < count;
  fclose(map);
  return found;
}

int clinux_trusts_owner(uid_t owner) {
  return owner == 0 || owner == geteuid() || (owner == OVERFLOW_USER && !is_mapped(owner));
}

/* Somebody else can create names in the directory. */
static int is_shared(const struct stat *directory) {
  return !clinux_trusts_owner(directory->st_uid) || (directory->st_mode & (S_IWGRP | S_IWOTH));
}

struct walk {
  int directory;             /* where the walk is now, O_PATH */
  char rest[PATH_MAX];       /* the rest of the path */
  char name[NAME_MAX + 1];   /* the next component */
  int links;
};

static int enter(struct walk *walk, int directory) {
  if (directory < 0) return -1;
  if (walk->directory >= 0) close(walk->directory);
  walk->directory = directory;
  return 0;
}

/* Takes the next component off `rest`; a path that ends in a slash names the directory itself. */
static int take_name(struct walk *walk) {
  size_t skip = strspn(walk->rest, "/"), length = strcspn(walk->rest + skip, "/");
  if (length > NAME_MAX) return errno = ENAMETOOLONG, -1;
  memcpy(walk->name, length ? walk->rest + skip : ".", length ? length : 1);
  walk->name[length ? length : 1] = 0;
  skip += length;
  memmove(walk->rest, walk->rest + skip, strlen(walk->rest + skip) + 1);
  return 0;
}

static int is_last(const struct walk *walk) { return walk->rest[strspn(walk->rest, "/")] == 0; }

/* The target of a link that was opened takes the place of its name. */
static int follow(struct walk *walk, int link) {
  char target[PATH_MAX], rest[PATH_MAX];
  ssize_t count = readlinkat(link, "", target, sizeof target - 1);
  if (count < 0) return -1;
  target[count] = 0;
  if (++walk->links > MOST_LINKS) return errno = ELOOP, -1;
  if (snprintf(rest, sizeof rest, "%s%s", target, walk->rest) >= (int)sizeof rest)
    return errno = ENAMETOOLONG, -1;
  strcpy(walk->rest, rest);
  if (target[0] != '/') return 0;
  return enter(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* A link of /proc, such as /proc/self/fd/2, leads to an open file, not to a name. */
static int is_magic(int directory) {
  struct statfs system;
  return !fstatfs(directory, &system) && system.f_type == PROC_SUPER_MAGIC;
}

/* One step: 1 if only the last name is left, 0 to go on, -1 with errno. */
static int step(struct walk *walk, int follows_last) {
  struct stat directory, found;
  if (take_name(walk)) return -1;
  int last = is_last(walk);
  int fd = clinux_open_name(walk->directory, walk->name);
  if (fd < 0) return last && errno == ENOENT ? 1 : -1;
  int result = -1;
  if (fstat(fd, &found) || fstat(walk->directory, &directory)) goto done;
  if (S_ISLNK(found.st_mode) && (follows_last || !last)) {
    if (is_magic(walk->directory)) {
      result = last ? 1 : enter(walk, openat(walk->directory, walk->name, O_PATH | O_DIRECTORY | O_CLOEXEC));
    } else if (is_shared(&directory) && !clinux_trusts_owner(found.st_uid)) {
      errno = ELOOP;
    } else {
      result = follow(walk, fd);
    }
  } else if (last) {
    result = 1;
  } else if (!S_ISDIR(found.st_mode)) {
    errno = ENOTDIR;
  } else {
    enter(walk, fd);
    return 0;
  }
done:;
  int saved = errno;
  close(fd);
  errno = saved;
  return result;
}

/* Walks to the directory in which to look up the last name. */
static int walk_to(struct walk *walk, const char *path, int follows_last) {
  *walk = (struct walk){.directory = -1};
  if (strlen(path) >= sizeof walk->rest) return errno = ENAMETOOLONG, -1;
  if (!*path) return errno = ENOENT, -1;
  strcpy(walk->rest, path);
  int result = enter(walk, open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  while (!result) result = step(walk, follows_last);
  if (result > 0) return 0;
  int saved = errno;
  if (walk->directory >= 0) close(walk->directory);
  errno = saved;
  return -1;
}

int clinux_open_name(int directory, const char *name) {
  return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int clinux_open_parent(const char *path, char *name) {
  struct walk walk;
  if (walk_to(&walk, path, 0)) return -1;
  strcpy(name, walk.name);
  return walk.directory;
}

/* A second name of somebody's file, or a file that another user can read too, must not be written. */
static int is_foreign(const struct stat *found, const struct stat *directory) {
  return found->st_nlink != 1 ||
         (!clinux_trusts_owner(found->st_uid) && found->st_uid != directory->st_uid);
}

int clinux_open_guarded(const char *path, int flags, mode_t mode) {
  struct walk walk;
  struct stat directory, found;
  if (walk_to(&walk, path, 1)) return -1;
  int fd = -1;
  if (fstat(walk.directory, &directory)) goto done;
  int shared = is_shared(&directory), guard = shared ? O_NOFOLLOW | O_NONBLOCK : O_NOFOLLOW;
  fd = openat(walk.directory, walk.name, flags | (is_magic(walk.directory) ? 0 : guard), mode);
  if (fd < 0 || !shared) goto done;
  if (!fstat(fd, &found) && S_ISREG(found.st_mode) && !is_foreign(&found, &directory)) goto done;
  close(fd);
  fd = -1;
  errno = EPERM;
done:;
  int saved = errno;
  close(walk.directory);
  errno = saved;
  return fd;
}

static int write_all(int fd, const char *text, size_t count) {
  while (count) {
    ssize_t done = write(fd, text, count);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return -1;
    text += done;
    count -= (size_t)done;
  }
  return 0;
}

/* Writes the text beside the name and renames it: a reader of the file finds the old text or the new one, and
 * never none. */
static int write_beside(int directory, const char *name, const char *text, mode_t mode) {
  char beside[32];
  snprintf(beside, sizeof beside, ".nsgi-%ld.new", (long)getpid());
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(directory, beside, flags, mode);
  if (fd < 0 && errno == EEXIST && !unlinkat(directory, beside, 0))
    fd = openat(directory, beside, flags, mode);
  if (fd < 0) return -1;
  int result = write_all(fd, text, strlen(text));
  if (!result) result = renameat(directory, beside, directory, name);
  int saved = errno;
  close(fd);
  if (result) unlinkat(directory, beside, 0);
  errno = saved;
  return result;
}

/* For a directory in which no file can be created: writes the text first, then truncates, so that it is never
 * empty. A device or a FIFO is only written to. */
static int write_over(int directory, const char *name, const char *text, int is_file) {
  /* Does not wait for a FIFO's reader. */
  int fd = openat(directory, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = write_all(fd, text, strlen(text));
  if (!result && is_file) result = ftruncate(fd, (off_t)strlen(text));
  int saved = errno;
  close(fd);
  errno = saved;
  return result;
}

int clinux_write_guarded(const char *path, const char *text, mode_t mode) {
  struct walk walk;
  struct stat directory, found;
  if (walk_to(&walk, path, 1)) return -1;
  int result = fstat(walk.directory, &directory);
  int is_there = !fstatat(walk.directory, walk.name, &found, AT_SYMLINK_NOFOLLOW);
  if (!result && is_magic(walk.directory)) {
    int fd = openat(walk.directory, walk.name, O_WRONLY | O_CLOEXEC);
    result = fd < 0 ? -1 : write_all(fd, text, strlen(text));
    if (fd >= 0) close(fd);
  } else if (!result && is_there && is_shared(&directory) &&
             (!S_ISREG(found.st_mode) || is_foreign(&found, &directory))) {
    errno = EPERM;
    result = -1;
  } else if (!result && is_there && !S_ISREG(found.st_mode)) {
    result = write_over(walk.directory, walk.name, text, 0);
  } else if (!result) {
    result = write_beside(walk.directory, walk.name, text, mode);
    if (result && is_there && (errno == EACCES || errno == EPERM || errno == EROFS || errno == EBUSY))
      result = write_over(walk.directory, walk.name, text, 1);
  }
  int saved = errno;
  close(walk.directory);
  errno = saved;
  return result;
}

static int is_same_file(int file, int directory, const char *name) {
  struct stat opened, found;
  if (fstat(file, &opened) || fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW)) return 0;
  if (opened.st_dev == found.st_dev && opened.st_ino == found.st_ino) return 1;
  errno = EPERM;
  return 0;
}

/* Whether the name belongs to that file; in a directory where nobody else can create names it always does. */
static int is_name_of(int file, int directory, const char *name) {
  struct stat place;
  if (fstat(directory, &place)) return 0;
  return !is_shared(&place) || is_same_file(file, directory, name);
}

int clinux_rename_guarded(int file, const char *path, const char *name) {
  char from[NAME_MAX + 1], to[NAME_MAX + 1];
  int source = clinux_open_parent(path, from), target = -1, result = -1;
  if (source < 0) return -1;
  if (is_name_of(file, source, from)) target = clinux_open_parent(name, to);
  if (target >= 0) result = renameat(source, from, target, to);
  int saved = errno;
  close(source);
  if (target >= 0) close(target);
  errno = saved;
  return result;
}

const char *clinux_guarded_reason(int error) {
  switch (error) {
  case ELOOP: return "a link on the way to it can be another user's, who could have it lead anywhere";
  case EPERM: return "others can write to its directory, and the file there is not this user's alone";
  default: return strerror(error);
  }
}

/* A pipe that only root and we can read or write. */
static int is_own_pipe(const struct stat *found) {
  return S_ISFIFO(found->st_mode) && found->st_uid == geteuid() && !(found->st_mode & (S_IRWXG | S_IRWXO));
}

int clinux_open_pipe(const char *path) {
  char name[NAME_MAX + 1];
  struct stat found;
  int directory = clinux_open_parent(path, name);
  if (directory < 0) return -1;
  int result = -1;
  if (mkfifoat(directory, name, S_IRUSR | S_IWUSR) && errno != EEXIST) goto done;
  /* With both ends open here it never reaches its end. */
  result = openat(directory, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (result >= 0 && (fstat(result, &found) || !is_own_pipe(&found))) {
    close(result);
    result = -1;
    errno = EEXIST;
  }
  /* Two readers of one pipe would each get part of what is written. */
  if (result >= 0 && flock(result, LOCK_EX | LOCK_NB)) {
    close(result);
    result = -1;
    errno = EADDRINUSE;
  }
done:;
  int saved = errno;
  close(directory);
  errno = saved;
  return result;
}

int clinux_pipe_is_at(const char *path, int pipe) {
  char name[NAME_MAX + 1];
  int directory = clinux_open_parent(path, name);
  if (directory < 0) return 0;
  int result = is_same_file(pipe, directory, name);
  close(directory);
  return result;
}

int clinux_remove_pipe(const char *path, int pipe) {
  char name[NAME_MAX + 1];
  int directory = clinux_open_parent(path, name);
  if (directory < 0) return -1;
  int result = is_same_file(pipe, directory, name) ? unlinkat(directory, name, 0) : -1;
  int saved = errno;
  close(directory);
  errno = saved;
  return result;
}
