using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Subresources;

/// <summary>Reviews of authorization.k8s.io: a question as an object, answered in its status and never stored.</summary>
internal static class AccessReview
{
    public static bool Answers(ResourceKind kind) => kind is { Group: "authorization.k8s.io", Kind: "SelfSubjectAccessReview" or "SubjectAccessReview" or "LocalSubjectAccessReview" };

    public static JsonObject Review(ApiContext context, ResourceKind kind, JsonObject body, WriteRequest request)
    {
        var answer = (JsonObject)body.DeepClone();
        answer["metadata"] ??= new JsonObject();
        var spec = answer["spec"] as JsonObject ?? throw ApiErrors.BadRequest("spec is required");
        var allowed = context.Authorizer.Allows(Question(UserOf(kind, spec, request), spec));
        answer["status"] = new JsonObject { ["allowed"] = allowed };
        return answer;
    }

    private static UserInfo UserOf(ResourceKind kind, JsonObject spec, WriteRequest request) => kind.Kind == "SelfSubjectAccessReview"
        ? new(request.Caller.User, request.Caller.Groups) { Uid = request.Caller.Uid, Extra = request.Caller.Extra }
        : new(spec.Str("user") ?? "", [.. (spec["groups"] as JsonArray)?.Select(g => (string)g!) ?? []]) { Uid = spec.Str("uid") ?? "" };

    private static AccessQuestion Question(UserInfo user, JsonObject spec)
    {
        if (spec["nonResourceAttributes"] is JsonObject path) return new(user, path.Str("verb") ?? "", "", "", null, null, null, path.Str("path") ?? "");
        if (spec["resourceAttributes"] is not JsonObject asked) throw ApiErrors.BadRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified");
        return new(user, asked.Str("verb") ?? "", asked.Str("group") ?? "", asked.Str("resource") ?? "", asked.Str("subresource"), asked.Str("namespace"), asked.Str("name"));
    }
}
