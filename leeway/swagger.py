"""Swagger: the page on which the routes can be tried, with script and style from here."""

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

FOLDER = "/swagger"


def add_swagger(app: FastAPI) -> None:
    """Add the page at /docs; the framework's own is blank where there is no way out.

    Parameters
    ----------
    app : FastAPI
        An application without such a page.
    """
    # That package is the files; what it would do with them reads them anew for each request.
    app.mount(FOLDER, StaticFiles(packages=[("fastapi_swagger", "resources")]))

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=str(app.openapi_url),
            title=f"{app.title}: API",
            swagger_js_url=f"{FOLDER}/swagger-ui-bundle.js",
            swagger_css_url=f"{FOLDER}/swagger-ui.css",
            swagger_favicon_url=f"{FOLDER}/favicon-32x32.png",
        )
