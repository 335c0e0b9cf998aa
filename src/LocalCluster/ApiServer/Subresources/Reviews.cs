using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Apply;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Subresources;

/// <summary>Reviews of authentication.k8s.io and authorization.k8s.io: a question as an object, answered in its status and never stored.</summary>
internal static class Reviews
{
    public static bool Answers(ResourceKind kind) => kind.Group is "authorization.k8s.io" or "authentication.k8s.io";

    public static JsonObject Review(ApiContext context, ResourceKind kind, string? @namespace, JsonNode? body, WriteRequest request)
    {
        var item = BodyDecoder.Decode(kind, body, request);
        BodyDecoder.CheckNamespace(kind, item, @namespace);
        ManagedFields.Strip(item);
        ManagedFields.RecordUpdate(kind, null, item, request.Caller.FieldManager, null, context.Clock);
        var me = new UserInfo(request.Caller.User, request.Caller.Groups) { Uid = request.Caller.Uid, Extra = request.Caller.Extra };
        var spec = item.Obj("spec") ?? [];
        item["status"] = kind.Kind switch
        {
            "TokenReview" => Token(context, spec),
            "SelfSubjectReview" => new JsonObject { ["userInfo"] = User(me) },
            "SelfSubjectRulesReview" => RulesOf(context, me, spec),
            "SelfSubjectAccessReview" => Access(context, me, spec),
            _ => Access(context, new UserInfo(spec.Str("user") ?? "", spec.Strings("groups")) { Uid = spec.Str("uid") ?? "" }, spec),
        };
        return Canonical.Object(item, kind.Type);
    }

    private static JsonObject Access(ApiContext context, UserInfo user, JsonObject spec) => new() { ["allowed"] = context.Authorizer.Allows(Question(user, spec)) };

    private static AccessQuestion Question(UserInfo user, JsonObject spec)
    {
        if (spec.Obj("nonResourceAttributes") is { } path) return new(user, path.Str("verb") ?? "", "", "", null, null, null, path.Str("path") ?? "");
        if (spec.Obj("resourceAttributes") is not { } asked) throw ApiErrors.BadRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified");
        return new(user, asked.Str("verb") ?? "", asked.Str("group") ?? "", asked.Str("resource") ?? "", Given(asked, "subresource"), Given(asked, "namespace"), Given(asked, "name"));
    }

    private static string? Given(JsonObject asked, string member) => asked.Str(member) is { Length: > 0 } value ? value : null;

    private static JsonObject Token(ApiContext context, JsonObject spec)
    {
        if (context.Tokens?.Authenticate(spec.Str("token") ?? "") is not { } user) return new JsonObject { ["user"] = new JsonObject(), ["error"] = "[invalid bearer token, unknown]" };
        return new JsonObject { ["authenticated"] = true, ["user"] = User(user with { Groups = [.. user.Groups, "system:authenticated"] }), ["audiences"] = new JsonArray(ServiceAccountTokens.Issuer) };
    }

    private static JsonObject RulesOf(ApiContext context, UserInfo user, JsonObject spec)
    {
        var (resources, paths) = (new JsonArray(), new JsonArray());
        foreach (var rule in context.Authorizer is RbacAuthorizer rbac && !user.IsMaster ? rbac.RulesFor(user, spec.Str("namespace") ?? "") : Everything())
        {
            (rule.Arr("nonResourceURLs") is null ? resources : paths).Add((JsonNode)rule.Copy());
        }

        return new JsonObject { ["resourceRules"] = resources, ["nonResourceRules"] = paths, ["incomplete"] = false };
    }

    private static IEnumerable<JsonObject> Everything() =>
    [
        new JsonObject { ["verbs"] = new JsonArray("*"), ["apiGroups"] = new JsonArray("*"), ["resources"] = new JsonArray("*") },
        new JsonObject { ["verbs"] = new JsonArray("*"), ["nonResourceURLs"] = new JsonArray("*") },
    ];

    private static JsonObject User(UserInfo user)
    {
        var info = new JsonObject { ["username"] = user.Name, ["uid"] = user.Uid, ["groups"] = new JsonArray([.. user.Groups.Select(g => JsonValue.Create(g))]) };
        var extra = new JsonObject();
        foreach (var (name, values) in user.Extra) extra[name] = new JsonArray([.. values.Select(v => JsonValue.Create(v))]);
        info["extra"] = extra;
        return info;
    }
}
