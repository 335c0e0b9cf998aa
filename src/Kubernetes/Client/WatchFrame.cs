using System.Text.Json;

namespace Opt.Kubernetes;

/// <summary>Parses one line of a watch.</summary>
internal static class WatchFrame
{
    private const string InitialEventsEnd = "k8s.io/initial-events-end";

    /// <summary>The event of one line.</summary>
    /// <exception cref="KubernetesException">The server reported an error in the stream, such as 410.</exception>
    /// <exception cref="JsonException">The line is not a watch event.</exception>
    public static WatchEvent<T> Parse<T>(ReadOnlySpan<byte> line, ResourceDefinition<T> resource) where T : class
    {
        if (Usual(line, resource) is { } usual) return usual;
        var (type, range) = Split(line);
        var body = line[range];
        return type switch
        {
            "ADDED" => Change(WatchEventType.Added, body, resource),
            "MODIFIED" => Change(WatchEventType.Modified, body, resource),
            "DELETED" => Change(WatchEventType.Deleted, body, resource),
            "BOOKMARK" => Bookmark<T>(body),
            _ => throw Error(body, resource),
        };
    }

    /// <summary>Reads a line as API servers write it, in one go; null where it is not, or is an error.</summary>
    private static WatchEvent<T>? Usual<T>(ReadOnlySpan<byte> line, ResourceDefinition<T> resource) where T : class
    {
        var type = line.StartsWith("""{"type":"MODIFIED","object":{"""u8) ? WatchEventType.Modified : line.StartsWith("""{"type":"ADDED","object":{"""u8) ? WatchEventType.Added
            : line.StartsWith("""{"type":"DELETED","object":{"""u8) ? WatchEventType.Deleted : (WatchEventType?)null;
        if (type is not { } known || !line.EndsWith("}}"u8)) return null;
        try
        {
            return Change(known, line[(1 + line[1..].IndexOf((byte)'{'))..^1], resource);
        }
        catch (JsonException)
        {
            return null;   // more members, or damaged: the slow way tells
        }
    }

    private static (string Type, Range Object) Split(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        string? type = null;
        Range? body = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new JsonException("A watch event must be an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var (isType, isObject) = (reader.ValueTextEquals("type"u8), reader.ValueTextEquals("object"u8));
            reader.Read();
            if (isType) type = TypeOf(ref reader);
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (isObject) body = start..(int)reader.BytesConsumed;
        }

        if (reader.Read()) throw new JsonException("A watch event must be one object");
        return (type ?? throw new JsonException("A watch event without a type"), body ?? throw new JsonException("A watch event without an object"));
    }

    // Compared as bytes: a damaged line may not be text at all.
    private static string TypeOf(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            foreach (var type in (ReadOnlySpan<string>)["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"])
            {
                if (reader.ValueTextEquals(type)) return type;
            }
        }

        throw new JsonException("Unknown watch event type");
    }

    private static WatchEvent<T> Change<T>(WatchEventType type, ReadOnlySpan<byte> body, ResourceDefinition<T> resource) where T : class
    {
        var item = resource.Read(body);
        return new(type, item, resource.MetadataOf(item).ResourceVersion ?? throw new JsonException("A watched object without a resourceVersion"));
    }

    private static WatchEvent<T> Bookmark<T>(ReadOnlySpan<byte> body) where T : class
    {
        var meta = JsonSerializer.Deserialize(body, InternalJson.Default.PartialObject)?.Metadata;
        var version = meta?.ResourceVersion ?? throw new JsonException("A bookmark without a resourceVersion");
        return new(WatchEventType.Bookmark, null, version, meta.Annotations?.GetValueOrDefault(InitialEventsEnd) == "true");
    }

    private static KubernetesException Error<T>(ReadOnlySpan<byte> body, ResourceDefinition<T> resource) where T : class
    {
        var status = JsonSerializer.Deserialize(body, KubernetesJson.Default.V1Status) ?? throw new JsonException("A watch error without a status");
        return KubernetesException.From(status.Code ?? 500, body, retryAfter: null, $"watching {resource}");
    }
}

/// <summary>Any object, by its metadata alone.</summary>
internal sealed record PartialObject
{
    public V1ObjectMeta? Metadata { get; init; }
}
