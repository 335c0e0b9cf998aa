using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Patching;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;
using Opt.LocalCluster.ApiServer.Selectors;

namespace Opt.LocalCluster.ApiServer.Subresources;

/// <summary>The scale subresource: the replica counts of any workload behind one shape.</summary>
public static class Scale
{
    private static readonly StructSchema Type = TypeCatalog.Struct("autoscaling.Scale");

    public static JsonObject Get(ResourceKind kind, JsonObject parent)
    {
        var paths = kind.ScalePaths;
        var meta = new JsonObject();
        foreach (var name in (ReadOnlySpan<string>)["name", "namespace", "uid", "resourceVersion", "creationTimestamp"])
        {
            if (parent.At("metadata", name) is { } value) meta[name] = value.DeepClone();
        }

        var status = new JsonObject { ["replicas"] = JsonPathOf(parent, paths.Status).Long() ?? 0 };
        if (Selector(parent, paths) is { Length: > 0 } selector) status["selector"] = selector;
        var scale = new JsonObject
        {
            ["kind"] = "Scale",
            ["apiVersion"] = "autoscaling/v1",
            ["metadata"] = meta,
            ["spec"] = new JsonObject { ["replicas"] = JsonPathOf(parent, paths.Spec).Long() ?? 0 },
            ["status"] = status,
        };
        return Canonical.Object(scale, Type);
    }

    /// <summary>PUT or PATCH: sets the replicas of the parent and answers with its scale.</summary>
    public static async Task<JsonObject> ChangeAsync(ApiContext context, Target target, Func<JsonObject, JsonNode?> change, WriteRequest request, CancellationToken ct)
    {
        var kind = target.Kind;
        var parent = await Updater.ChangeAsync(context, target with { Subresource = "scale" }, current =>
        {
            var scale = Get(kind, current);
            if (change(scale.Copy()) is not JsonObject wanted) throw ApiErrors.BadRequest("expected a Scale object");
            var replicas = wanted.Long("spec", "replicas") ?? 0;
            if (replicas < 0) throw ApiErrors.Invalid("autoscaling", "Scale", target.Name, [FieldError.Invalid("spec.replicas", replicas, "must be greater than or equal to 0")]);
            Set(current, kind.ScalePaths.Spec, replicas);
            var meta = current.Metadata();
            if (wanted.Str("metadata", "resourceVersion") is { Length: > 0 } version) meta["resourceVersion"] = version;
            return current;
        }, request, ct);
        return Get(kind, parent);
    }

    /// <summary>Applies a patch of any kind to a scale object.</summary>
    public static JsonNode? Patched(JsonObject scale, PatchKind kind, JsonNode? patch)
    {
        try
        {
            return kind switch
            {
                PatchKind.Json => JsonPatch.Apply(scale, patch),
                PatchKind.StrategicMerge when patch is JsonObject map => StrategicMergePatch.Apply(scale, map, Type),
                _ => MergePatch.Apply(scale, patch),
            };
        }
        catch (PatchException e)
        {
            throw ApiErrors.BadRequest($"error decoding patch: {e.Message}");
        }
    }

    private static string? Selector(JsonObject parent, ScalePaths paths)
    {
        if (paths.Selector is null) return null;
        var found = JsonPathOf(parent, paths.Selector);
        return found.Str() ?? LabelSelector.FromObject(found)?.ToString();
    }

    private static JsonNode? JsonPathOf(JsonObject item, string path) => item.At(path.TrimStart('.').Split('.'));

    private static void Set(JsonObject item, string path, long value)
    {
        var names = path.TrimStart('.').Split('.');
        foreach (var name in names[..^1]) item = item.Ensure(name);
        item[names[^1]] = value;
    }
}

/// <summary>Where a kind keeps what its scale shows: JSON paths of simple members, as in a CRD.</summary>
public sealed record ScalePaths(string Spec, string Status, string? Selector)
{
    public static readonly ScalePaths Workload = new(".spec.replicas", ".status.replicas", ".spec.selector");
}
