using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>The AdmissionReview object that webhooks are sent.</summary>
internal static class AdmissionReviews
{
    public static JsonObject Of(AdmissionReviewRequest review, IdSource ids) => new()
    {
        ["kind"] = "AdmissionReview",
        ["apiVersion"] = "admission.k8s.io/v1",
        ["request"] = Request(review, ids),
    };

    private static JsonObject Request(AdmissionReviewRequest review, IdSource ids)
    {
        var request = new JsonObject
        {
            ["uid"] = ids.Uid(),
            ["kind"] = Kind(review),
            ["resource"] = Resource(review),
        };
        if (review.Subresource is { } sub) request["subResource"] = sub;
        request["requestKind"] = Kind(review);
        request["requestResource"] = Resource(review);
        if (review.Subresource is { } again) request["requestSubResource"] = again;
        if (review.Name.Length > 0) request["name"] = review.Name;
        if (review.Namespace.Length > 0) request["namespace"] = review.Namespace;
        request["operation"] = review.Operation.ToString().ToUpperInvariant();
        request["userInfo"] = User(review.Request.Caller);
        request["object"] = Ordered(review.Object);
        request["oldObject"] = Ordered(review.OldObject);
        request["dryRun"] = review.Request.DryRun;
        request["options"] = review.Options.DeepClone();
        return request;
    }

    private static JsonObject? Ordered(JsonObject? item)
    {
        var copy = item?.Copy();
        if (copy?.Str("metadata", "resourceVersion") == "0") copy.Metadata().Remove("resourceVersion");
        return copy;
    }

    private static JsonObject Kind(AdmissionReviewRequest review) => new() { ["group"] = review.Kind.Group, ["version"] = review.Kind.Version, ["kind"] = review.Kind.Kind };

    private static JsonObject Resource(AdmissionReviewRequest review) => new() { ["group"] = review.Kind.Group, ["version"] = review.Kind.Version, ["resource"] = review.Kind.Plural };

    private static JsonObject User(Caller caller)
    {
        var user = new JsonObject { ["username"] = caller.User };
        if (caller.Uid.Length > 0) user["uid"] = caller.Uid;
        user["groups"] = new JsonArray([.. caller.Groups.Select(g => JsonValue.Create(g))]);
        if (caller.Extra.Count == 0) return user;
        var extra = new JsonObject();
        foreach (var (name, values) in caller.Extra) extra[name] = new JsonArray([.. values.Select(v => JsonValue.Create(v))]);
        user["extra"] = extra;
        return user;
    }
}
