using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;

namespace Opt.LocalCluster.Tests.ApiServer;

/// <summary>Generators of hostile input: JSON built from a small vocabulary that has meaning to the code under test, and token soup.</summary>
internal static class Gens
{
    /// <summary>JSON of any shape whose member names and texts come from <paramref name="words"/>.</summary>
    public static Arbitrary<JsonText> Json(params string[] words) => Arb.From(Gen.Sized(size => Node(Math.Min(size, 4), words)).Select(n => new JsonText(n?.ToJsonString() ?? "null")));

    /// <summary>Texts made of <paramref name="tokens"/> in any order.</summary>
    public static Arbitrary<string> Soup(params string[] tokens) => Arb.From(Gen.Elements(tokens).ListOf().Select(parts => string.Concat(parts)));

    public static Arbitrary<byte[]> Bytes() => Arb.From(Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf());

    private static Gen<JsonNode?> Node(int depth, string[] words)
    {
        var leaves = Gen.OneOf(
            Gen.Elements(words).Select(w => (JsonNode?)JsonValue.Create(w)),
            Gen.Choose(-3, 300).Select(n => (JsonNode?)JsonValue.Create(n)),
            Gen.Elements(true, false).Select(b => (JsonNode?)JsonValue.Create(b)),
            Gen.Constant((JsonNode?)null),
            Gen.Elements(1.5, -0.0, 1e300).Select(d => (JsonNode?)JsonValue.Create(d)));
        if (depth == 0) return leaves;
        var below = Node(depth - 1, words);
        var list = below.ArrayOf(3).Select(items => (JsonNode?)new JsonArray([.. items.Select(i => i?.DeepClone())]));
        var map = Gen.Zip(Gen.Elements(words), below).ArrayOf(4).Select(members =>
        {
            var result = new JsonObject();
            foreach (var (name, value) in members) result[name] = value?.DeepClone();
            return (JsonNode?)result;
        });
        return Gen.OneOf(leaves, list, map, map);
    }
}

/// <summary>JSON as text, so that a failing case prints well and is parsed afresh.</summary>
internal sealed record JsonText(string Text)
{
    public JsonNode? Node => JsonNode.Parse(Text);

    public JsonObject Object => Node as JsonObject ?? [];
}
