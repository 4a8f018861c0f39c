"""What DSS_MGW answers services of the site: `GET /where/<channel>?stream=&from=`."""

from aiohttp import web

from services.mgw.where import Where


def routes(where: Where) -> list[web.RouteDef]:
    """All routes; `from` is the address of whoever is to open the stream, so that it gets one it reaches."""

    async def tell(request: web.Request) -> web.Response:
        query = request.query
        asker, stream = query.get("from", ""), query.get("stream", "main")
        return web.json_response(await where.find(request.match_info["channel"], stream, asker))

    return [web.get("/where/{channel}", tell)]
