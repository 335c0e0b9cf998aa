using System.Text.Json;
using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>
/// An object of the Kubernetes wire. Fields that this library does not model are kept and written back, so that reading, changing
/// one field and replacing never drops what a newer server or another controller put there.
/// Field meanings, units and defaults are those of the Kubernetes API reference (v1.36); absent is null.
/// </summary>
public abstract record OpenRecord
{
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? UnknownFields { get; set; }   // the serializer demands a setter here
}
