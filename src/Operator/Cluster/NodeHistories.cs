using System.Text.Json;
using System.Text.Json.Serialization;
using Opt.Planning;

namespace Opt.Operator.Cluster;

/// <summary>The annotation in which a node carries what jobs had against it.</summary>
internal static class NodeHistories
{
    /// <summary>Empty when absent, or when it is not ours to read.</summary>
    public static NodeHistory Parse(string? annotation)
    {
        try
        {
            return annotation is null ? NodeHistory.Empty : JsonSerializer.Deserialize(annotation, NodeHistoryJson.Default.NodeHistory) ?? NodeHistory.Empty;
        }
        catch (JsonException)
        {
            return NodeHistory.Empty;   // a person wrote it, or a newer operator
        }
    }

    public static string Format(NodeHistory history) => JsonSerializer.Serialize(history, NodeHistoryJson.Default.NodeHistory);
}

/// <summary>Serializer of node histories.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(NodeHistory))]
internal sealed partial class NodeHistoryJson : JsonSerializerContext;
