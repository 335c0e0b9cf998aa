using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer.Patching;

/// <summary>JSON merge patch, RFC 7396.</summary>
public static class MergePatch
{
    /// <summary>The patched value; <paramref name="target"/> may be reused in it.</summary>
    public static JsonNode? Apply(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject changes) return patch?.DeepClone();
        var result = target as JsonObject ?? [];
        foreach (var (name, value) in changes)
        {
            if (value is null)
            {
                result.Remove(name);
                continue;
            }

            var old = result[name];
            result.Remove(name);   // detaches the old value, so that it can be reused below
            result[name] = Apply(old, value);
        }

        return result;
    }
}
