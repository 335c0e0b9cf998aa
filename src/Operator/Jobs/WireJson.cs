using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace Opt.Operator.Jobs;

/// <summary>Parts of objects that another version of us may have written.</summary>
internal static class WireJson
{
    /// <summary>The part as it is understood here; null when it is not there or cannot be read.</summary>
    public static T? ReadOrNull<T>(this JsonObject? json, JsonTypeInfo<T> type) where T : class
    {
        try
        {
            return json?.Deserialize(type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
