"""A hook of mkdocs: a link to a file outside of docs/, or to a folder, becomes its words alone, since the
site has no page for it. One that leads nowhere stays, and ends the build."""
import pathlib
import re

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page, config, files) -> str:
  """The text of a page, as mkdocs takes it from its hooks."""
  docs = pathlib.Path(config["docs_dir"]).resolve()
  folder = (docs / page.file.src_uri).parent

  def kept(link: re.Match) -> str:
    if "://" in link[2] or link[2].startswith(("mailto:", "/")): return link[0]
    target = (folder / link[2]).resolve()
    is_page = docs in target.parents and not target.is_dir()
    return link[0] if is_page or not target.exists() else link[1]

  return LINK.sub(kept, markdown)
