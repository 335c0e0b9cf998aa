using System.Text.Json.Nodes;

namespace Opt.Operator.Rendering;

/// <summary>
/// Strategic merge of a partial pod template over another, by Kubernetes' rules for the types inside a PodTemplateSpec: objects merge, null
/// removes, lists with a merge key merge by element, other lists are replaced. The directives <c>$patch: delete</c> and <c>$patch: replace</c>
/// are understood.
/// </summary>
internal static class StrategicMerge
{
    private const string Directive = "$patch";

    // Field name -> merge key, as the patchMergeKey tags of the core/v1 types say. The names are unambiguous within a pod template.
    private static readonly Dictionary<string, string> MergeKeys = new(StringComparer.Ordinal)
    {
        ["containers"] = "name",
        ["initContainers"] = "name",
        ["ephemeralContainers"] = "name",
        ["volumes"] = "name",
        ["env"] = "name",
        ["volumeMounts"] = "mountPath",
        ["volumeDevices"] = "devicePath",
        ["ports"] = "containerPort",
        ["imagePullSecrets"] = "name",
        ["hostAliases"] = "ip",
        ["topologySpreadConstraints"] = "topologyKey",
        ["schedulingGates"] = "name",
        ["resourceClaims"] = "name",
    };

    /// <summary>A new object; neither argument is changed.</summary>
    public static JsonObject Merge(JsonObject original, JsonObject patch)
    {
        if ((string?)(patch[Directive] as JsonValue) is "replace") return Without(patch);
        var result = original.DeepClone().AsObject();
        foreach (var (name, value) in patch)
        {
            if (name == Directive) continue;
            if (value is null) result.Remove(name);
            else result[name] = MergeValue(name, result[name], value);
        }

        return result;
    }

    private static JsonNode MergeValue(string name, JsonNode? original, JsonNode patch) => (original, patch) switch
    {
        (JsonObject o, JsonObject p) => Merge(o, p),
        (_, JsonObject p) => Merge([], p),
        (JsonArray o, JsonArray p) when MergeKeys.TryGetValue(name, out var key) => MergeList(o, p, key),
        _ => patch.DeepClone(),
    };

    private static JsonArray MergeList(JsonArray original, JsonArray patch, string key)
    {
        var items = original.Select(i => i?.DeepClone()).ToList();
        foreach (var change in patch.OfType<JsonObject>())
        {
            var at = items.FindIndex(i => i is JsonObject item && JsonNode.DeepEquals(item[key], change[key]));
            if ((string?)(change[Directive] as JsonValue) is "delete")
            {
                if (at >= 0) items.RemoveAt(at);
            }
            else if (at >= 0)
            {
                items[at] = Merge(items[at]!.AsObject(), change);
            }
            else
            {
                items.Add(Without(change));
            }
        }

        return [.. items, .. patch.Where(i => i is not JsonObject).Select(i => i?.DeepClone())];
    }

    private static JsonObject Without(JsonObject patch)
    {
        var copy = patch.DeepClone().AsObject();
        copy.Remove(Directive);
        return copy;
    }
}
