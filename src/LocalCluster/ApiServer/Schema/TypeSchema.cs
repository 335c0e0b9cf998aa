namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>
/// The shape of a value as the API knows it: drives decoding, field order, strategic merge, ownership by field and OpenAPI.
/// Structs, lists and maps say how concurrent writers share them (Kubernetes' list, map and struct types).
/// </summary>
public abstract record TypeSchema;

/// <summary>A leaf with the wire form of one Go type.</summary>
public sealed record ScalarSchema(ScalarKind Kind) : TypeSchema;

/// <summary>Any JSON at all, owned as a whole.</summary>
public sealed record RawSchema : TypeSchema
{
    public static readonly RawSchema Instance = new();
}

/// <summary>Any JSON at all; its objects are owned field by field (custom resources that preserve unknown fields).</summary>
public sealed record DeducedSchema : TypeSchema
{
    public static readonly DeducedSchema Instance = new();
}

/// <summary>A list; <see cref="Keys"/> name the items when <see cref="Kind"/> is <see cref="ListKind.Map"/>.</summary>
public sealed record ListSchema(TypeSchema Element, ListKind Kind, IReadOnlyList<string> Keys) : TypeSchema;

/// <summary>A map from string keys.</summary>
public sealed record MapSchema(TypeSchema Value, bool Atomic) : TypeSchema;

/// <summary>The scalar wire types.</summary>
public enum ScalarKind { String, Int32, Int64, Float, Bool, Bytes, Quantity, Time, MicroTime, IntOrString }

/// <summary>Who owns a list: one writer as a whole, or several writers by item.</summary>
public enum ListKind { Atomic, Set, Map }
