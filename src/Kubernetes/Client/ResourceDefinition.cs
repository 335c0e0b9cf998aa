using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Opt.Kubernetes;

/// <summary>
/// What the client has to know about a resource: where it is served, how it is serialised, and where its metadata is.
/// A kind need not implement anything of this library.
/// </summary>
/// <param name="Group">The API group; empty for the core group.</param>
/// <param name="Plural">The lower-case plural of the URL.</param>
/// <param name="TypeInfo">From a source-generated context with the options of <see cref="KubernetesJson"/>.</param>
/// <param name="MetadataOf">Reads the metadata of one object. Must be cheap; it is called for every event.</param>
public sealed record ResourceDefinition<T>(
    string Group, string Version, string Kind, string Plural, bool Namespaced, JsonTypeInfo<T> TypeInfo, Func<T, V1ObjectMeta> MetadataOf)
    where T : class
{
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    public ObjectKey KeyOf(T item) => ObjectKey.Of(MetadataOf(item));

    public V1ObjectReference ReferenceTo(T item)
    {
        var meta = MetadataOf(item);
        return new() { ApiVersion = ApiVersion, Kind = Kind, Namespace = meta.Namespace, Name = meta.Name, Uid = meta.Uid, ResourceVersion = meta.ResourceVersion };
    }

    /// <summary>An owner reference to <paramref name="owner"/> as its controller, blocking foreground deletion.</summary>
    public V1OwnerReference OwnedBy(T owner)
    {
        var meta = MetadataOf(owner);
        return new() { ApiVersion = ApiVersion, Kind = Kind, Name = meta.Name, Uid = meta.Uid, Controller = true, BlockOwnerDeletion = true };
    }

    public override string ToString() => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>The request path; a null namespace means all namespaces, or a cluster-scoped resource.</summary>
    internal string Path(string? @namespace, string? name = null, string? subresource = null)
    {
        var path = Group.Length == 0 ? $"/api/{Version}" : $"/apis/{Group}/{Version}";
        if (Namespaced && @namespace is not null) path += $"/namespaces/{Uri.EscapeDataString(@namespace)}";
        path += $"/{Plural}";
        if (name is not null) path += $"/{Uri.EscapeDataString(name)}";
        return subresource is null ? path : $"{path}/{subresource}";
    }

    internal T Read(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize(utf8, TypeInfo) ?? throw new JsonException($"The server sent null instead of a {Kind}.");

    /// <summary>Serialises for the wire. Items of a list come without apiVersion and kind, but a write must carry them: they are added here.</summary>
    internal ReadOnlyMemory<byte> Write(T item)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer)) JsonSerializer.Serialize(writer, item, TypeInfo);
        return HasTypeMeta(buffer.WrittenSpan) ? buffer.WrittenMemory : WithTypeMeta(buffer.WrittenSpan);
    }

    private static bool HasTypeMeta(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        var found = 0;
        reader.Read();
        while (found < 2 && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("apiVersion"u8) || reader.ValueTextEquals("kind"u8)) found++;
            reader.Skip();
        }

        return found == 2;
    }

    private byte[] WithTypeMeta(ReadOnlySpan<byte> json)
    {
        using var parsed = JsonDocument.Parse(json.ToArray());
        var buffer = new ArrayBufferWriter<byte>(json.Length + 64);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("apiVersion"u8, ApiVersion);
            writer.WriteString("kind"u8, Kind);
            foreach (var property in parsed.RootElement.EnumerateObject().Where(p => p.Name is not ("apiVersion" or "kind"))) property.WriteTo(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }
}
