"""What a published copy has besides: buttons that lead to its repository, a sitemap, and a card for each page.

They are absent until `_config.yml` names where the copy lies: `repository.url` and `html.baseurl`.
"""

from sphinx.application import Sphinx


def buttons(app: Sphinx) -> None:
    """Repository, edit and issue, which Jupyter Book turns on one by one: here by the repository's address alone."""
    options = app.config.html_theme_options
    given = bool(options.get("repository_url"))
    options |= {f"use_{name}_button": given for name in ("repository", "edit_page", "issues")}


def addresses(app: Sphinx) -> None:
    """`sitemap.xml` for search engines, and what a link to a page looks like where it is posted."""
    base = app.config.html_baseurl
    if not base:
        return
    app.config.html_baseurl = base = base.rstrip("/") + "/"  # both join it to the name of a page
    app.setup_extension("sphinx_sitemap")
    app.config.sitemap_url_scheme = "{link}"  # there is one language and one version
    app.config.sitemap_excludes = ["genindex.html", "py-modindex.html", "search.html"]
    app.setup_extension("sphinxext.opengraph")
    app.config.ogp_site_url = base
    app.config.ogp_site_name = app.config.html_title


def setup(app: Sphinx) -> dict[str, bool]:
    buttons(app)
    addresses(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
