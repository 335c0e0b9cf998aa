using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Selectors;

namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>One webhook of a configuration, and whether it concerns a write.</summary>
internal sealed record Webhook(JsonObject Source)
{
    public string Name => Source.Str("name") ?? "";

    public bool FailsOpen => Source.Str("failurePolicy") == "Ignore";

    public bool Reinvokes => Source.Str("reinvocationPolicy") == "IfNeeded";

    public TimeSpan Timeout => TimeSpan.FromSeconds(Source["timeoutSeconds"].Long() ?? 10);

    public IEnumerable<(string Name, string Expression)> MatchConditions => Source.Items("matchConditions").Select(c => (c.Str("name") ?? "", c.Str("expression") ?? ""));

    /// <summary>By rules and selectors; match conditions come after.</summary>
    public bool Concerns(AdmissionReviewRequest review, Func<string, JsonObject?> namespaceLabels) =>
        Source.Items("rules").Any(r => RuleMatches(r, review)) && NamespaceMatches(review, namespaceLabels) && ObjectMatches(review);

    private static bool RuleMatches(JsonObject rule, AdmissionReviewRequest review)
    {
        var kind = review.Kind;
        return Any(rule, "operations", review.Operation.ToString().ToUpperInvariant())
            && Any(rule, "apiGroups", kind.Group)
            && Any(rule, "apiVersions", kind.Version)
            && (rule.Str("scope") ?? "*") switch { "Namespaced" => kind.Namespaced, "Cluster" => !kind.Namespaced, _ => true }
            && rule.Strings("resources").Any(r => ResourceMatches(r, kind, review.Subresource));
    }

    private static bool Any(JsonObject rule, string member, string value) => rule.Strings(member).Any(v => v == "*" || v == value);

    private static bool ResourceMatches(string pattern, ResourceKind kind, string? subresource)
    {
        var parts = pattern.Split('/');
        var resource = parts[0] == "*" || parts[0] == kind.Plural;
        if (parts.Length == 1) return resource && subresource is null;
        return resource && (parts[1] == "*" || parts[1] == subresource);
    }

    private bool NamespaceMatches(AdmissionReviewRequest review, Func<string, JsonObject?> namespaceLabels)
    {
        if (LabelSelector.FromObject(Source["namespaceSelector"]) is not { } selector) return true;
        if (review.Kind is { Group: "", Kind: "Namespace" }) return selector.Matches((review.Object ?? review.OldObject).Obj("metadata", "labels"));
        return !review.Kind.Namespaced || selector.Matches(namespaceLabels(review.Namespace));
    }

    private bool ObjectMatches(AdmissionReviewRequest review)
    {
        if (LabelSelector.FromObject(Source["objectSelector"]) is not { } selector) return true;
        return review.Object is { } now && selector.Matches(now.Obj("metadata", "labels")) || review.OldObject is { } old && selector.Matches(old.Obj("metadata", "labels"));
    }
}
