using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>The options of a deletion, from its body or query.</summary>
public sealed record DeleteOptions(long? GraceSeconds = null, string? Propagation = null, string? Uid = null, string? ResourceVersion = null, JsonObject? Source = null)
{
    /// <exception cref="ApiException">400 or 422: the options are malformed or contradict each other.</exception>
    public static DeleteOptions From(JsonObject? body)
    {
        if (body is null) return new DeleteOptions();
        try
        {
            body = Canonical.Object(body, TypeCatalog.Struct("meta.DeleteOptions"));
        }
        catch (DecodeException e)
        {
            throw ApiErrors.BadRequest(e.Message);
        }

        var (grace, policy, orphan) = (body["gracePeriodSeconds"].Long(), body["propagationPolicy"].Str(), body["orphanDependents"].Bool());
        Check(grace, policy, orphan);
        return new DeleteOptions(
            grace,
            policy ?? orphan switch { true => "Orphan", false => "Background", null => null },
            body.Str("preconditions", "uid"),
            body.Str("preconditions", "resourceVersion"),
            body);
    }

    /// <summary>The options as webhooks see them.</summary>
    public JsonObject ToReview(WriteRequest request)
    {
        var review = new JsonObject { ["kind"] = "DeleteOptions", ["apiVersion"] = "meta.k8s.io/v1" };
        foreach (var (name, value) in Source ?? [])
        {
            if (name is not ("kind" or "apiVersion")) review[name] = value?.DeepClone();
        }

        if (request.DryRun) review["dryRun"] = new JsonArray("All");
        return review;
    }

    private static void Check(long? grace, string? policy, bool? orphan)
    {
        var errors = new List<FieldError>();
        if (policy is not null && orphan is not null) errors.Add(FieldError.Invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set"));
        if (policy is not (null or "Foreground" or "Background" or "Orphan")) errors.Add(FieldError.NotSupported("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]));
        if (grace < 0) errors.Add(FieldError.Invalid("gracePeriodSeconds", grace, "must be greater than or equal to 0"));
        if (errors.Count > 0) throw ApiErrors.Invalid("meta.k8s.io", "DeleteOptions", "", errors);
    }
}
