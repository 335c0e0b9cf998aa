using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.OpenApi;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>The HTTP face: who asks, may they, what do they name, and which operation is that.</summary>
internal sealed partial class HttpApi(ApiContext context, Authenticator authenticator, IAuthorizer authorizer, Discovery discovery, OpenApiDocuments openApi, ApiHostOptions options)
{
    private readonly ILogger _log = options.Loggers.CreateLogger<HttpApi>();

    public async Task HandleAsync(HttpContext http)
    {
        try
        {
            var user = Impersonation.Apply(http.Request.Headers, Users.Of(http, authenticator), authorizer);
            await RouteAsync(http, user);
        }
        catch (ApiException e)
        {
            await Responses.StatusAsync(http, e);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client went away; there is nobody left to tell.
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Log.Fault(_log, http.Request.Method, http.Request.Path, e);
            await Responses.StatusAsync(http, ApiErrors.Internal(e.Message));
        }
    }

    private async Task RouteAsync(HttpContext http, UserInfo user)
    {
        var path = http.Request.Path.Value ?? "/";
        if (!RequestPath.TryParse(path, out var target))
        {
            Authorize(new AccessQuestion(user, http.Request.Method.ToLowerInvariant(), "", "", null, null, null, path));
            await NonResourceAsync(http, path);
            return;
        }

        var verb = Verbs.Of(http.Request, target);
        Authorize(new AccessQuestion(user, verb, target.Group, target.Plural, target.Subresource, target.Namespace ?? (target is { Group: "", Plural: "namespaces" } ? target.Name : null), target.Name));
        if (context.Kinds.Find(target.Group, target.Version, target.Plural) is not { } kind)
        {
            if (discovery.Serves(target.Group, target.Version)) throw ApiErrors.NoSuchResource();
            await Responses.NotFoundPageAsync(http);
            return;
        }

        if (!kind.Namespaced && target.Namespace is not null) throw ApiErrors.NoSuchResource();
        if (target.Subresource is { } sub && kind.Sub(sub) is null) throw ApiErrors.NoSuchResource();
        await new ResourceRequest(context, http, user, target, kind, options.Logs).HandleAsync(verb);
    }

    private async Task NonResourceAsync(HttpContext http, string path)
    {
        if (path is "/healthz" or "/livez" or "/readyz" || path.StartsWith("/livez/", StringComparison.Ordinal) || path.StartsWith("/readyz/", StringComparison.Ordinal) || path.StartsWith("/healthz/", StringComparison.Ordinal)) await Responses.TextAsync(http, 200, "ok");
        else if (path is "/version" or "/version/") await Responses.JsonAsync(http, 200, ServerVersion.Document());
        else if (path.StartsWith("/openapi/", StringComparison.Ordinal)) await openApi.ServeAsync(http, path);
        else if (discovery.Document(path, http.Request) is { } document) await Responses.DiscoveryAsync(http, document.Body, document.ContentType);
        else await Responses.NotFoundPageAsync(http);
    }

    private void Authorize(AccessQuestion question)
    {
        if (authorizer.Allows(question)) return;
        throw ApiErrors.Forbidden(question);
    }

    private static partial class Log   // 71xx: the API server
    {
        [LoggerMessage(7101, LogLevel.Error, "{Method} {Path} failed")]
        public static partial void Fault(ILogger logger, string method, string path, Exception error);
    }
}
