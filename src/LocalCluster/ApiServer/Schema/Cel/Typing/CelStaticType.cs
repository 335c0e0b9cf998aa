namespace Opt.LocalCluster.ApiServer.Schema.Cel.Typing;

/// <summary>What is known of a value before it is there. <see cref="ToString"/> is how error messages name it.</summary>
public abstract record CelStaticType
{
    /// <summary>Anything: checked when the expression runs.</summary>
    public static readonly CelStaticType Dyn = new Plain("dyn");
    public static readonly CelStaticType Null = new Plain("null");
    public static readonly CelStaticType Bool = new Plain("bool");
    public static readonly CelStaticType Int = new Plain("int");
    public static readonly CelStaticType UInt = new Plain("uint");
    public static readonly CelStaticType Double = new Plain("double");
    public static readonly CelStaticType String = new Plain("string");
    public static readonly CelStaticType Bytes = new Plain("bytes");
    public static readonly CelStaticType Type = new Plain("type");
    public static readonly CelStaticType Duration = new Plain("google.protobuf.Duration");
    public static readonly CelStaticType Timestamp = new Plain("google.protobuf.Timestamp");
    public static readonly CelStaticType Quantity = new Plain("kubernetes.Quantity");

    public bool IsDyn => ReferenceEquals(this, Dyn);

    /// <summary>The type of the values that a schema allows; null for one that expressions cannot see.</summary>
    /// <param name="isRoot">Adds what every object has: apiVersion, kind, and of the metadata the names.</param>
    public static CelStaticType? Of(StructuralSchema schema, bool isRoot)
    {
        if (schema.IsIntOrString || schema.Nullable) return Dyn;
        return schema.Type switch
        {
            "boolean" => Bool,
            "integer" => Int,
            "number" => Double,
            "string" => schema.Format switch { "byte" => Bytes, "duration" => Duration, "date" or "date-time" => Timestamp, _ => String },
            "array" => schema.Items is { } items && Of(items, isRoot: items.IsEmbeddedResource) is { } item ? new ListOf(item) : null,
            "object" when schema.AdditionalProperties is { } values => Of(values, values.IsEmbeddedResource) is { } value ? new MapOf(String, value) : null,
            "object" => new ObjectOf(FieldsOf(schema, isRoot || schema.IsEmbeddedResource)),
            _ => null,
        };
    }

    /// <summary>Whether a value of one type may stand where the other is expected.</summary>
    public static bool Fits(CelStaticType a, CelStaticType b) => (a, b) switch
    {
        _ when a.IsDyn || b.IsDyn => true,
        (ListOf x, ListOf y) => Fits(x.Item, y.Item),
        (MapOf x, MapOf y) => Fits(x.Key, y.Key) && Fits(x.Value, y.Value),
        (OptionalOf x, OptionalOf y) => Fits(x.Value, y.Value),
        (ObjectOf, _) or (_, ObjectOf) => ReferenceEquals(a, b) || a == Null || b == Null,
        _ => a == b || (a == Null && MayBeNull(b)) || (b == Null && MayBeNull(a)),
    };

    private static bool MayBeNull(CelStaticType type) => type == Duration || type == Timestamp;

    private static Dictionary<string, CelStaticType> FieldsOf(StructuralSchema schema, bool isResource)
    {
        var fields = new Dictionary<string, CelStaticType>(StringComparer.Ordinal);
        foreach (var (name, property) in schema.Properties)
        {
            if (Of(property, property.IsEmbeddedResource) is { } type) fields[CelNames.Escape(name)] = type;
        }

        if (!isResource) return fields;
        fields["apiVersion"] = fields["kind"] = String;
        fields["metadata"] = new ObjectOf(new Dictionary<string, CelStaticType> { ["name"] = String, ["generateName"] = String });
        return fields;
    }

    /// <summary>A type without parts.</summary>
    public sealed record Plain(string Name) : CelStaticType
    {
        public override string ToString() => Name;
    }

    /// <summary>A type parameter of a signature.</summary>
    public sealed record Parameter(string Name) : CelStaticType
    {
        public override string ToString() => Name;
    }

    public sealed record ListOf(CelStaticType Item) : CelStaticType
    {
        public override string ToString() => $"list({Item})";
    }

    public sealed record MapOf(CelStaticType Key, CelStaticType Value) : CelStaticType
    {
        public override string ToString() => $"map({Key}, {Value})";
    }

    public sealed record OptionalOf(CelStaticType Value) : CelStaticType
    {
        public override string ToString() => $"optional_type({Value})";
    }

    /// <summary>An object with known fields; the same only as itself.</summary>
    public sealed record ObjectOf(IReadOnlyDictionary<string, CelStaticType> Fields) : CelStaticType
    {
        public override string ToString() => "object";
    }
}
