using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer.Kinds;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>OpenAPI of what is served.</summary>
internal sealed class OpenApiDocuments(KindRegistry kinds)
{
    public Task ServeAsync(HttpContext http, string path)
    {
        _ = kinds;
        return Responses.NotFoundPageAsync(http);
    }
}
