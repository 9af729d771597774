#!/usr/bin/env python3
"""Makes the man pages and the completions out of what the server says of itself and of docs/NSGI.md.

  manual.py SERVER NSGI.md OUT

SERVER's help is rendered from its option table, so an option is stated once. Written below OUT:
man8/nsgi-server.8 man8/nsgi-server-ctl.8 man5/nsgi-server.ini.5 man3/nsgi.h.3
nsgi-server.bash _nsgi-server nsgi-server.fish
"""
import dataclasses
import datetime
import os
import pathlib
import re
import subprocess
import sys

NAME = "nsgi-server"


@dataclasses.dataclass
class Option:
  """A row of the table: names with their dashes, what stands after them, and what it does."""
  names: list[str]
  placeholder: str
  is_optional: bool
  help: str

  @property
  def long(self) -> str:
    """The first long name, which is the ini key."""
    return next(name for name in self.names if name.startswith("--"))


@dataclasses.dataclass
class Group:
  """Options under one heading."""
  title: str
  options: list[Option]


@dataclasses.dataclass
class Verb:
  """A verb of `ctl`, with its arguments and what it does."""
  name: str
  arguments: str
  help: str


ROW = re.compile(r"^  (-\S.*)$")
CONTINUED = " " * 32


def read_options(text: str) -> list[Group]:
  """The groups of `--help`. A row that has no name, or a heading without rows, is an error here."""
  groups: list[Group] = []
  for line in text.split("\n\n", 1)[1].splitlines():
    if line.startswith(CONTINUED):
      option = groups[-1].options[-1]
      option.help = f"{option.help} {line.strip()}".strip()
    elif match := ROW.match(line):
      head, text = line[:32], line[32:]
      # A head that reaches into the column of the texts stands alone on its line.
      if len(line) > 32 and head.endswith("  "):
        groups[-1].options.append(read_row(head.strip(), text.strip()))
      else:
        groups[-1].options.append(read_row(line.strip(), ""))
    elif line.endswith(":"):
      groups.append(Group(line[:-1], []))
    elif line:
      raise SystemExit(f"manual: --help has a line of no known form: {line!r}")
  for group in groups:
    if not group.options: raise SystemExit(f"manual: {group.title} has no options")
    for option in group.options:
      if not option.help: raise SystemExit(f"manual: {option.names} has no help")
  return groups


def read_row(head: str, text: str) -> Option:
  """`-s, --socket ADDR` or `--chmod-socket[=MODE]` and its text."""
  names, rest = [], head
  while match := re.match(r"(--?[A-Za-z0-9][A-Za-z0-9-]*)(, )?", rest):
    names.append(match[1])
    rest = rest[match.end():]
    if not match[2]: break
  is_optional = rest.startswith("[=")
  return Option(names, rest[2:-1] if is_optional else rest.strip(), is_optional, text)


def read_verbs(text: str) -> list[Verb]:
  """The verbs of `help ctl`."""
  verbs: list[Verb] = []
  for line in text.splitlines():
    if match := re.match(r"^  (\S+)((?: \S+)*)\s{2,}(\S.*)$", line):
      verbs.append(Verb(match[1], match[2].strip(), match[3]))
    elif verbs and re.match(r"^\s{20,}\S", line):
      verbs[-1].help += " " + line.strip()
  return verbs


# --- man pages

def escaped(text: str) -> str:
  """Text of a mdoc line: nothing in it is a request or an escape."""
  text = text.replace("\\", "\\e").replace("-", "\\-")
  return "\\&" + text if text[:1] in (".", "'") else text


def sentences(text: str) -> list[str]:
  """One line for each sentence, as mdoc wants it."""
  text = re.sub(r"\s+", " ", text).strip()
  return [escaped(piece) for piece in re.split(r"(?<=[.!?]) (?=[A-Z])|(?<=[.!?][)\"]) (?=[A-Z])", text)]


def macro_word(text: str) -> str:
  """An argument of a mdoc macro, quoted so that nothing in it is a macro."""
  return '"' + escaped(text).replace('"', '\\(dq') + '"'


def page(date: str, title: str, section: int, name: str, about: str, body: list[str]) -> str:
  head = [f'.\\" Made by packaging/manual.py; do not edit.', f".Dd {date}", f".Dt {title} {section}", ".Os",
          ".Sh NAME", f".Nm {name}", f".Nd {about}"]
  return "\n".join(head + body) + "\n"


def option_list(group: Group) -> list[str]:
  lines = [".Bl -tag -width Ds"]
  for option in group.options:
    words = []
    for name in option.names:
      flag = "Fl Fl " + name[2:].replace("-", "\\-") if name.startswith("--") else f"Fl {name[1:]}"
      words.append(flag + (" ," if name != option.names[-1] else ""))
    line = ".It " + " ".join(words)
    if option.placeholder:
      argument = macro_word(option.placeholder)
      line += f" Ns Oo = Ns Ar {argument} Oc" if option.is_optional else f" Ar {argument}"
    lines += [line, *sentences(sentence(option.help))]
  return lines + [".El"]


def sentence(text: str) -> str:
  """A help text as a sentence."""
  return text[:1].upper() + text[1:] + ("" if text.endswith((".", ")")) else ".")


def literal(text: str) -> list[str]:
  return [".Bd -literal", *(escaped(line) if line else "" for line in text.splitlines()), ".Ed"]


def server_page(date: str, groups: list[Group], usage: dict[str, str]) -> str:
  body = [".Sh SYNOPSIS"]
  for index, words in enumerate((
    "Fl Fl app Ar PATH Fl Fl http\\-socket Ar ADDR Op Ar OPTION ...",
    "Fl Fl plugin Ar python3 Fl w Ar MODULE Fl Fl http\\-socket Ar ADDR Op Ar OPTION ...",
    "Fl Fl ini Ar FILE Op Ar OPTION ...", "Cm check Ar FILE.so Op Ar OPTION ...",
    "Cm new Ar NAME Fl Fl language Ar LANGUAGE Op Ar OPTION ...", "Cm ctl Ar VERB Op Ar ARGUMENT ...",
    "Cm migrate Ar FILE", "Cm top Op Ar OPTION ...")):
    body += [".Nm", "." + words]
  body += [
    ".Sh DESCRIPTION",
    *sentences(
      "The server owns the network and the gateway protocols, and serves applications that are shared "
      "libraries, or that a plugin makes out of something else, such as Python modules. A master supervises "
      "workers, replaces those that crash, and swaps an application for a new build without losing a "
      "request."),
    ".Pp", "Options are read from ini files first, then from the environment",
    ".Pq Ev NSGI_OPTION_NAME ,", "then from the command line; the later one counts, and what may be repeated adds up.",
    ".Sh OPTIONS"]
  for group in groups:
    body += [f".Ss {escaped(group.title)}", *option_list(group)]
  body += [".Sh COMMANDS", ".Ss check", *literal(usage["check"]), ".Ss new", *literal(usage["new"]),
           ".Ss ctl", "See", f".Xr {NAME}\\-ctl 8 .",
           ".Ss migrate", *literal(usage["migrate"]), ".Ss top", *literal(usage["top"]),
           ".Sh SIGNALS", ".Bl -tag -width Ds",
           ".It Dv SIGTERM , SIGINT , SIGQUIT",
           *sentences("End when what is under way is answered. A second one ends at once."),
           ".It Dv SIGHUP", *sentences("Read the configuration again and swap every application."),
           ".It Dv SIGUSR1", *sentences("Open the log files again."), ".El",
           ".Sh EXIT STATUS", ".Bl -tag -width Ds",
           ".It 0", "It was ended, or has done what was asked.",
           ".It 1", "It cannot be done; one sentence on the standard error says why, and what would help.",
           ".It 22", "An application cannot be loaded.", ".El",
           ".Sh SEE ALSO", ".Xr nsgi.h 3 ,", f".Xr {NAME}.ini 5 ,", f".Xr {NAME}\\-ctl 8"]
  return page(date, "NSGI-SERVER", 8, NAME, "application server for HTTP, SCGI, uwsgi, FastCGI and CGI", body)


def ctl_page(date: str, verbs: list[Verb]) -> str:
  body = [".Sh SYNOPSIS", f".Nm {NAME} ctl", ".Op Fl Fl control\\-socket Ar PATH | Fl Fl runtime\\-dir Ar DIR", ".Op Fl Fl json", ".Ar VERB",
          ".Op Ar ARGUMENT ...", ".Sh DESCRIPTION",
          *sentences("Asks a running server over its control socket, shows what it says, and ends with its "
                     "verdict. Without a socket named, the one server of this user is asked; root also asks that "
                     "of the systemd unit."),
          ".Sh VERBS", ".Bl -tag -width Ds"]
  for verb in verbs:
    arguments = f" Ar {macro_word(verb.arguments)}" if verb.arguments else ""
    body += [f".It Cm {escaped(verb.name)}{arguments}", *sentences(sentence(verb.help))]
  body += [".El", ".Sh OPTIONS", ".Bl -tag -width Ds", ".It Fl Fl control\\-socket Ar PATH",
           "Ask the server at this socket.", ".It Fl Fl runtime\\-dir Ar DIR",
           "Ask the server that was started with this directory.", ".It Fl Fl json",
           "Print one JSON object a line; the last one has the exit code.", ".El",
           ".Sh EXIT STATUS", "0: done. 1: refused or impossible, with the reason.",
           ".Sh SEE ALSO", f".Xr {NAME} 8"]
  return page(date, "NSGI-SERVER-CTL", 8, f"{NAME}-ctl", "ask a running application server", body)


def ini_page(date: str, groups: list[Group]) -> str:
  body = [".Sh DESCRIPTION",
          *sentences("A text file with the options of"), f".Xr {NAME} 8 ,",
          "one a line; it is named by", ".Fl Fl ini .", ".Pp",
          "A line is", ".Ql key = value ,", "a", ".Ql key", "alone for an option that takes nothing,", ".Ql [section] ,",
          "or a comment that begins with", ".Ql #", "or", ".Ql \\&; .",
          "Keys are the long names of options, without dashes.",
          "The section", ".Ql [server]", "or", ".Ql [nsgi]", "is read, or the one that is named after a colon:",
          ".Fl Fl ini Ar FILE:section .",
          "A file with neither may have", ".Ql [uwsgi] .", ".Pp",
          "An unknown key ends the start with a sentence that names it; so nothing is left out unnoticed.",
          ".Sh PLACEHOLDERS", ".Bl -tag -width Ds -compact",
          ".It Ql %p", "the absolute path of the file", ".It Ql %d", "its directory, with a slash at the end",
          ".It Ql %s", "its name", ".It Ql %n", "its name without the ending",
          ".It Ql $(NAME)", "a variable of the environment", ".El", ".Sh KEYS"]
  for group in groups:
    body += [f".Ss {escaped(group.title)}", ".Bl -tag -width Ds"]
    for option in group.options:
      value = f" = {option.placeholder}" if option.placeholder else ""
      body += [f".It Ic {macro_word(option.long[2:] + value)}", *sentences(sentence(option.help))]
    body += [".El"]
  body += [".Sh EXAMPLES", *literal("[server]\napp = /srv/app/hello_world_app.so\nhttp-socket = 127.0.0.1:8080\n"
                                    "processes = 2"),
           ".Sh SEE ALSO", f".Xr {NAME} 8"]
  return page(date, "NSGI-SERVER.INI", 5, f"{NAME}.ini", "configuration of the application server", body)


def contract_page(date: str, markdown: str) -> str:
  """nsgi.h(3) out of docs/NSGI.md: headings, paragraphs, blocks of code, lists and tables."""
  body = [".Sh SYNOPSIS", ".In nsgi.h", ".Ft int",
          '.Fn application "const nsgi_environ *environ" "nsgi_start_response start_response"',
          ".Ft \"const nsgi_app *\"", '.Fn nsgi_entry "const nsgi_host *host"',
          ".Sh DESCRIPTION", "The header itself is the manual of each function; this page is the contract as a whole."]
  block, code = [], None
  def paragraph():
    if block:
      text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(block))
      # Emphasis and the marks of code go, but an asterisk in code is a pointer's.
      parts = [part if place % 2 else part.replace("*", "") for place, part in enumerate(text.split("`"))]
      body.extend(([] if body[-1].startswith((".Sh", ".Ss")) else [".Pp"]) + sentences("".join(parts)))
      block.clear()
  for line in ("## " + markdown.split("\n## ", 1)[1]).splitlines():
    if code is not None:
      if line.startswith("```"):
        body.extend(literal("\n".join(code)))
        code = None
      else: code.append(line)
    elif line.startswith("```"): paragraph(); code = []
    elif line.startswith("#"): paragraph(); body.append(".Ss " + escaped(line.lstrip("# ").replace("`", "")))
    elif line.startswith("|"):
      paragraph()
      if not set(line) <= set("|-: "): block.append(" \u2014 ".join(cell.strip() for cell in line.strip("|").split("|")))
      paragraph()
    elif not line.strip(): paragraph()
    else: block.append(line.strip())
  paragraph()
  body += [".Sh SEE ALSO", f".Xr {NAME} 8"]
  return page(date, "NSGI.H", 3, "nsgi.h", "interface between the application server and applications", body)


# --- completions

def commands(groups: list[Group], verbs: list[Verb]) -> dict[str, str]:
  return {
    "verbs": " ".join(verb.name for verb in verbs),
    "all": " ".join(name for group in groups for option in group.options for name in option.names),
    "files": " ".join(name for option in taking(groups, FILES) for name in option.names),
    "folders": " ".join(name for option in taking(groups, FOLDERS) for name in option.names),
    "values": " ".join(name for option in taking(groups, None) for name in option.names),
  }


FILES = ("PATH", "FILE", "TARGET", "PROGRAM")
FOLDERS = ("DIR",)
LANGUAGES = "c cpp go python rust swift zig"
FRAMEWORKS = "django fastapi flask"
CHECK = "--load --exercise --path --json --time-limit --app-option"
TOP = "--control-socket --delay --batch --count"
COMMANDS = {
  "check": "what is in an application", "ctl": "ask a running server",
  "migrate": "another server's configuration in the words of this one", "new": "an application to begin with",
  "top": "what a running server does",
}


def taking(groups: list[Group], words: tuple[str, ...] | None) -> list[Option]:
  """Options that take a value; of files or directories where `words` are in what stands after them."""
  return [option for group in groups for option in group.options if option.placeholder and not option.is_optional
          and (words is None or any(word in re.split(r"[^A-Z]+", option.placeholder) for word in words))]


def bash(groups: list[Group], verbs: list[Verb]) -> str:
  words = commands(groups, verbs)
  return f"""# Completion of {NAME} for bash. Made by packaging/manual.py; do not edit.
_nsgi_server() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{COMP_WORDS[1]}}
  COMPREPLY=()
  if ((COMP_CWORD > 1)); then
    case $command in
    ctl)
      case $before in
      --runtime-dir) compopt -o filenames; COMPREPLY=($(compgen -d -- "$word")) ;;
      --control-socket | -s | swap | upgrade) compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")) ;;
      *) COMPREPLY=($(compgen -W "--control-socket --runtime-dir --json --replay {words['verbs']}" -- "$word")) ;;
      esac
      return ;;
    new)
      case $before in
      --language) COMPREPLY=($(compgen -W "{LANGUAGES}" -- "$word")) ;;
      --framework) COMPREPLY=($(compgen -W "{FRAMEWORKS}" -- "$word")) ;;
      --directory) compopt -o filenames; COMPREPLY=($(compgen -d -- "$word")) ;;
      *) COMPREPLY=($(compgen -W "--language --framework --directory" -- "$word")) ;;
      esac
      return ;;
    check)
      case $word in
      -*) COMPREPLY=($(compgen -W "{CHECK}" -- "$word")) ;;
      *) compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")) ;;
      esac
      return ;;
    migrate) compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;
    top)
      case $before in
      --control-socket) compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")) ;;
      *) COMPREPLY=($(compgen -W "{TOP}" -- "$word")) ;;
      esac
      return ;;
    help) COMPREPLY=($(compgen -W "{" ".join(COMMANDS)}" -- "$word")); return ;;
    esac
  fi
  case " {words['folders']} " in
  *" $before "*) compopt -o filenames; COMPREPLY=($(compgen -d -- "$word")); return ;;
  esac
  case " {words['files']} " in
  *" $before "*) compopt -o filenames; COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  case " {words['values']} " in
  *" $before "*) return ;;
  esac
  local first=
  ((COMP_CWORD > 1)) || first="{" ".join(COMMANDS)} help"
  COMPREPLY=($(compgen -W "$first {words['all']}" -- "$word"))
}}
complete -F _nsgi_server {NAME}
"""


def quoted(text: str) -> str:
  """A word of a shell."""
  return "'" + text.replace("'", "'\\''") + "'"


def zsh(groups: list[Group], verbs: list[Verb]) -> str:
  files, folders = taking(groups, FILES), taking(groups, FOLDERS)
  rows = []
  for group in groups:
    for option in group.options:
      text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
      for name in option.names:
        row = f"*{name}"
        if option.is_optional: row += "=-"
        row += f"[{text}]"
        if option.placeholder:
          action = "_files -/" if option in folders else "_files" if option in files else " "
          hint = re.sub(r"[:\[\]\\]", " ", option.placeholder).strip()
          row += f"{':' if option.is_optional else ''}:{hint}:{action}"
        rows.append("    " + quoted(row))
  described = " ".join(quoted(f"{verb.name}:{verb.help}") for verb in verbs)
  lines = " \\\n".join(rows)
  return f"""#compdef {NAME}
# Completion of {NAME} for zsh. Made by packaging/manual.py; do not edit.
_nsgi_server() {{
  local -a verbs
  verbs=({described})
  if (( CURRENT > 2 )); then
    case $words[2] in
    ctl) _arguments '--control-socket[ask this server]:socket:_files' '--runtime-dir[ask the server of this directory]:directory:_files -/' '--json[one object a line]' '--replay[if it answers so many requests as the build before]:number: ' '2:verb:->verb' '*:argument:_files'
      [[ $state == verb ]] && _describe verb verbs
      return ;;
    new) _arguments '--language[of the application]:language:({LANGUAGES})' '--framework[of one in Python]:framework:({FRAMEWORKS})' '--directory[where to]:directory:_files -/' '*:name: '
      return ;;
    check) _arguments {" ".join(quoted(word) for word in CHECK.split())} '*:library:_files'
      return ;;
    migrate) _arguments '*:configuration:_files'
      return ;;
    top) _arguments '--control-socket[ask this server]:socket:_files' '--delay[between two looks]:seconds: ' '--batch[one look below the other]' '--count[so many looks]:number: '
      return ;;
    help) compadd {" ".join(COMMANDS)}; return ;;
    esac
  fi
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    compadd {" ".join(COMMANDS)} help
  fi
  _arguments \\
{lines}
}}
if [[ $funcstack[1] == _{NAME} ]]; then _nsgi_server "$@"; else compdef _nsgi_server {NAME}; fi
"""


def fish(groups: list[Group], verbs: list[Verb]) -> str:
  lines = [f"# Completion of {NAME} for fish. Made by packaging/manual.py; do not edit.",
           f"complete -c {NAME} -f"]
  files, folders = taking(groups, FILES), taking(groups, FOLDERS)
  none = f"-n 'not __fish_seen_subcommand_from {' '.join(COMMANDS)} help'"
  for command, text in (*COMMANDS.items(), ("help", "usage of a command")):
    lines.append(f"complete -c {NAME} -n __fish_use_subcommand -a {command} -d {quoted(text)}")
  for verb in verbs:
    lines.append(f"complete -c {NAME} -n '__fish_seen_subcommand_from ctl' -a {verb.name} -d {quoted(verb.help)}")
  lines.append(f"complete -c {NAME} -n '__fish_seen_subcommand_from ctl' -l replay -x")
  for name, words in (("language", LANGUAGES), ("framework", FRAMEWORKS)):
    lines.append(f"complete -c {NAME} -n '__fish_seen_subcommand_from new' -l {name} -x -a {quoted(words)}")
  for name in TOP.split():
    takes = {"--batch": "", "--control-socket": " -r -F"}.get(name, " -x")
    lines.append(f"complete -c {NAME} -n '__fish_seen_subcommand_from top' -l {name[2:]}{takes}")
  for command in ("check", "migrate"):
    lines.append(f"complete -c {NAME} -n '__fish_seen_subcommand_from {command}' -F")
  for group in groups:
    for option in group.options:
      takes = ""
      if option.placeholder and not option.is_optional:
        takes = " -x -a '(__fish_complete_directories)'" if option in folders else " -r -F" if option in files else " -x"
      for name in option.names:
        flag = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
        lines.append(f"complete -c {NAME} {none} {flag}{takes} -d {quoted(option.help)}")
  return "\n".join(lines) + "\n"


def main(server: str, contract: str, out: str):
  def say(*arguments: str) -> str:
    return subprocess.run([server, *arguments], env={}, check=True, capture_output=True, text=True).stdout
  groups, verbs = read_options(say("--help")), read_verbs(say("help", "ctl"))
  epoch = os.environ.get("SOURCE_DATE_EPOCH")
  day = datetime.datetime.fromtimestamp(int(epoch) if epoch else datetime.datetime.now().timestamp(), datetime.timezone.utc)
  date = f"{day:%B} {day.day}, {day.year}"
  usage = {name: re.sub(r"\bserver (?=migrate|--check-config)", f"{NAME} ", say("help", name).split("\n\n", 1)[1])
           for name in COMMANDS if name != "ctl"}
  files = {
    f"man8/{NAME}.8": server_page(date, groups, usage),
    f"man8/{NAME}-ctl.8": ctl_page(date, verbs),
    f"man5/{NAME}.ini.5": ini_page(date, groups),
    "man3/nsgi.h.3": contract_page(date, pathlib.Path(contract).read_text()),
    f"{NAME}.bash": bash(groups, verbs), f"_{NAME}": zsh(groups, verbs), f"{NAME}.fish": fish(groups, verbs),
  }
  for name, text in files.items():
    path = pathlib.Path(out, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
  if len(sys.argv) != 4: raise SystemExit("usage: manual.py SERVER NSGI.md OUT")
  main(*sys.argv[1:])
