using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.Objects;

/// <summary>Resource quantities as decimals of their base unit: <c>100m</c> is 0.1, <c>1Ki</c> is 1024.</summary>
internal static class Amounts
{
    /// <summary>The quantity in a field, zero when it is missing or malformed (the API server has refused malformed ones).</summary>
    public static decimal Of(JsonNode? node) => node.Text() is { } text && Quantity.TryParse(text, out var quantity) ? (decimal)quantity.Nano / 1_000_000_000m : 0;

    /// <summary>A resource list such as <c>limits</c> or <c>capacity</c>.</summary>
    public static IEnumerable<KeyValuePair<string, decimal>> List(JsonNode? list) =>
        (list as JsonObject)?.Select(entry => KeyValuePair.Create(entry.Key, Of(entry.Value))) ?? [];
}
