using Microsoft.AspNetCore.Http;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>The Kubernetes verb of a request.</summary>
internal static class Verbs
{
    public static string Of(HttpRequest request, RequestPath path) => request.Method switch
    {
        "GET" or "HEAD" when path.Watches || path.Name is null && IsTrue(request.Query["watch"]) || path.Subresource is null && IsTrue(request.Query["watch"]) => "watch",
        "GET" or "HEAD" => path.Name is null ? "list" : "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => path.Name is null ? "deletecollection" : "delete",
        var other => other.ToLowerInvariant(),
    };

    public static bool IsTrue(string? text) => text is "1" or "true" or "True" or "TRUE" or "t" or "T";
}
