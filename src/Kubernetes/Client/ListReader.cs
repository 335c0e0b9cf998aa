using System.Text.Json;

namespace Opt.Kubernetes;

/// <summary>Reads a list in one pass over its bytes, item by item.</summary>
internal static class ListReader
{
    /// <exception cref="JsonException">The bytes are not a Kubernetes list.</exception>
    public static KubernetesList<T> Read<T>(ReadOnlySpan<byte> utf8, ResourceDefinition<T> resource) where T : class
    {
        var reader = new Utf8JsonReader(utf8);
        var items = new List<T>();
        V1ListMeta? metadata = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new JsonException("A list must be an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("items"u8)) ReadItems(ref reader, items, resource);
            else if (reader.ValueTextEquals("metadata"u8)) metadata = JsonSerializer.Deserialize(ref reader, KubernetesJson.Default.V1ListMeta);
            else reader.Skip();
        }

        return new(items, metadata ?? throw new JsonException("A list without metadata"));
    }

    private static void ReadItems<T>(ref Utf8JsonReader reader, List<T> items, ResourceDefinition<T> resource) where T : class
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return;   // Go's empty list
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            items.Add(JsonSerializer.Deserialize(ref reader, resource.TypeInfo) ?? throw new JsonException("A list with a null item"));
        }
    }
}
