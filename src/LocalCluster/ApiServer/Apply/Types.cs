using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>Steps down a type along a path.</summary>
internal static class Types
{
    private static readonly ListSchema AtomicList = new(RawSchema.Instance, ListKind.Atomic, []);

    /// <summary>A deduced type takes the shape of its value: lists are owned whole, maps by entry.</summary>
    public static TypeSchema Resolve(TypeSchema type, JsonNode? value) => type is DeducedSchema && value is JsonArray ? AtomicList : type is DeducedSchema && value is not JsonObject ? RawSchema.Instance : type;

    public static bool IsAtomic(TypeSchema type) => type is ListSchema { Kind: ListKind.Atomic } or MapSchema { Atomic: true } or StructSchema { Atomic: true } or ScalarSchema or RawSchema;

    public static TypeSchema Field(TypeSchema type, string name) => type switch
    {
        StructSchema s => s.Field(name)?.Type ?? s.Unknown ?? DeducedSchema.Instance,
        MapSchema m => m.Value,
        _ => DeducedSchema.Instance,
    };

    /// <summary>The type that a path element leads to.</summary>
    public static TypeSchema Below(TypeSchema type, string element) => type is ListSchema list ? list.Element : Field(type, element[2..]);
}
