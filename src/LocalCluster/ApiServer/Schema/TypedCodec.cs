using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Kinds;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>The codec of the built-in kinds, driven by their type and defaulting rules.</summary>
public sealed class TypedCodec(StructSchema type, KindRules rules) : ICodec
{
    public JsonObject Decode(JsonObject body, DecodeReport? report)
    {
        var item = Canonical.Object(body, type, report);
        rules.Default(item);
        return Canonical.Object(item, type);
    }

    public JsonObject Canonicalize(JsonObject item) => Canonical.Object(item, type);
}
