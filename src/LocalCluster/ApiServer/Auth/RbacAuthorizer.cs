using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Auth;

/// <summary>Role-based access control over the roles and bindings in the store. <c>system:masters</c> may do everything.</summary>
/// <param name="audit">Is told every question before it is answered.</param>
public sealed class RbacAuthorizer(ObjectStore store, Action<AccessQuestion>? audit = null) : IAuthorizer
{
    private const string Group = "rbac.authorization.k8s.io";
    private static readonly string[] Reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"];

    public bool Allows(AccessQuestion question)
    {
        audit?.Invoke(question);
        if (question.User.IsMaster || IsBasic(question)) return true;
        return Bindings("clusterrolebindings", null).Any(b => Grants(b, question))
            || question.Namespace is { } ns && Bindings("rolebindings", ns).Any(b => Grants(b, question));
    }

    /// <summary>Every rule that applies to a user in a namespace, for SelfSubjectRulesReview.</summary>
    public IEnumerable<JsonObject> RulesFor(UserInfo user, string @namespace) =>
        Bindings("clusterrolebindings", null).Concat(Bindings("rolebindings", @namespace)).Where(b => b.Items("subjects").Any(s => Names(s, b.Namespace(), user))).SelectMany(Rules);

    // What the default roles system:basic-user, system:discovery and system:public-info-viewer grant.
    private static bool IsBasic(AccessQuestion question)
    {
        if (question is { Verb: "get", Path: "/healthz" or "/livez" or "/readyz" or "/version" or "/version/" }) return true;
        if (!question.User.Groups.Contains("system:authenticated")) return false;
        if (question.Path is { } path) return question.Verb == "get" && (path is "/api" or "/apis" || path.StartsWith("/api/", StringComparison.Ordinal) || path.StartsWith("/apis/", StringComparison.Ordinal) || path.StartsWith("/openapi/", StringComparison.Ordinal));
        return question.Verb == "create" && Reviews.Contains(question.Resource);
    }

    private IEnumerable<JsonObject> Bindings(string plural, string? @namespace) => store.List($"{Group}/{plural}", @namespace).Objects.Select(o => o.ToTree());

    private bool Grants(JsonObject binding, AccessQuestion question) =>
        binding.Items("subjects").Any(s => Names(s, binding.Namespace(), question.User)) && Rules(binding).Any(r => Covers(r, question));

    private static bool Names(JsonObject subject, string @namespace, UserInfo user) => subject.Str("kind") switch
    {
        "User" => subject.Str("name") == user.Name,
        "Group" => user.Groups.Contains(subject.Str("name")),
        "ServiceAccount" => user.Name == $"system:serviceaccount:{(subject.Str("namespace") is { Length: > 0 } ns ? ns : @namespace)}:{subject.Str("name")}",
        _ => false,
    };

    private IEnumerable<JsonObject> Rules(JsonObject binding)
    {
        var name = binding.Str("roleRef", "name") ?? "";
        var role = binding.Str("roleRef", "kind") == "ClusterRole" ? store.Get($"{Group}/clusterroles", "", name) : store.Get($"{Group}/roles", binding.Namespace(), name);
        return role?.ToTree().Items("rules") ?? [];
    }

    private static bool Covers(JsonObject rule, AccessQuestion question)
    {
        if (!Any(rule, "verbs", question.Verb)) return false;
        if (question.Path is { } path) return rule.Strings("nonResourceURLs").Any(p => p == path || p.EndsWith('*') && path.StartsWith(p[..^1], StringComparison.Ordinal));
        return Any(rule, "apiGroups", question.Group) && ResourceCovered(rule, question) && NameCovered(rule, question);
    }

    private static bool Any(JsonObject rule, string member, string value) => rule.Strings(member).Any(v => v == "*" || v == value);

    private static bool ResourceCovered(JsonObject rule, AccessQuestion question)
    {
        var wanted = question.Subresource is null ? question.Resource : $"{question.Resource}/{question.Subresource}";
        return rule.Strings("resources").Any(r => r == "*" || r == wanted || question.Subresource is not null && r == $"*/{question.Subresource}");
    }

    private static bool NameCovered(JsonObject rule, AccessQuestion question) =>
        rule.Strings("resourceNames") is not { Count: > 0 } names || question.Name is { } name && names.Contains(name);
}
