using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Controllers;

/// <summary>
/// The hash in revision names. For ControllerRevisions it equals Kubernetes' own, character by character: 32-bit FNV-1 over the data's
/// JSON with sorted keys and the collision count, spelled in an alphabet without vowels.
/// </summary>
internal static class RevisionHash
{
    private const string Alphabet = "bcdfghjklmnpqrstvwxz2456789";

    // Go's encoder escapes HTML characters and leaves the rest; this one is close enough to agree on what templates hold.
    private static readonly JsonSerializerOptions Compact = new() { WriteIndented = false, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Of(JsonNode data, long collisionCount)
    {
        var hash = 2166136261u;
        foreach (var b in Encoding.UTF8.GetBytes(Canonical(data) + collisionCount))
        {
            hash *= 16777619u;
            hash ^= b;
        }

        return string.Concat(hash.ToString(System.Globalization.CultureInfo.InvariantCulture).Select(digit => Alphabet[digit % Alphabet.Length]));
    }

    /// <summary>Compact JSON with keys in ordinal order.</summary>
    public static string Canonical(JsonNode node) => Sorted(node)!.ToJsonString(Compact);

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject o => new JsonObject(o.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => KeyValuePair.Create(entry.Key, Sorted(entry.Value)))),
        JsonArray array => new JsonArray([.. array.Select(Sorted)]),
        null => null,
        _ => node.DeepClone(),
    };
}
