using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Subresources;

/// <summary>POST serviceaccounts/NAME/token.</summary>
internal static class TokenRequests
{
    private const long MinSeconds = 600;

    public static JsonObject Create(ApiContext context, ResourceKind accounts, string @namespace, string name, JsonObject body)
    {
        var account = context.Find(accounts, @namespace, name) ?? throw ApiErrors.NotFound(accounts, name);
        var seconds = body.Long("spec", "expirationSeconds") ?? 3600;
        if (seconds < MinSeconds) throw ApiErrors.Invalid("authentication.k8s.io", "TokenRequest", name, [FieldError.Invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")]);
        var audiences = body.At("spec").Strings("audiences");
        var bound = body.Obj("spec", "boundObjectRef");
        if (bound is not null) CheckBound(context, @namespace, bound);
        var tokens = context.Tokens ?? throw ApiErrors.Internal("this server issues no tokens");
        var token = tokens.Issue(@namespace, name, account.Uid, audiences, TimeSpan.FromSeconds(seconds), bound);
        var now = context.Clock.GetUtcNow();
        var answer = new JsonObject
        {
            ["kind"] = "TokenRequest",
            ["apiVersion"] = "authentication.k8s.io/v1",
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = @namespace, ["creationTimestamp"] = Scalars.Time(now) },
            ["spec"] = new JsonObject { ["audiences"] = new JsonArray([.. audiences.DefaultIfEmpty(ServiceAccountTokens.Issuer).Select(a => JsonValue.Create(a))]), ["expirationSeconds"] = seconds },
            ["status"] = new JsonObject { ["token"] = token, ["expirationTimestamp"] = Scalars.Time(now.AddSeconds(seconds)) },
        };
        if (bound is not null) answer["spec"]!["boundObjectRef"] = bound.DeepClone();
        return Canonical.Object(answer, TypeCatalog.Struct("authentication.TokenRequest"));
    }

    private static void CheckBound(ApiContext context, string @namespace, JsonObject bound)
    {
        if (bound.Str("kind") is not ("Pod" or "Secret")) throw ApiErrors.BadRequest($"cannot bind token for serviceaccount to type {bound.Str("apiVersion")}, Kind={bound.Str("kind")}");
        var resource = bound.Str("kind") == "Pod" ? "/pods" : "/secrets";
        if (context.Store.Get(resource, @namespace, bound.Str("name") ?? "") is not { } there) throw ApiErrors.Error(404, "NotFound", $"{resource[1..]} \"{bound.Str("name")}\" not found", new JsonObject { ["name"] = bound.Str("name"), ["kind"] = resource[1..] });
        if (bound.Str("uid") is { Length: > 0 } uid && uid != there.Uid) throw ApiErrors.Error(409, "Conflict", $"the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated", null);
        bound["uid"] = there.Uid;
    }
}
