using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;
using Opt.LocalCluster.ApiServer.Subresources;
using Opt.LocalCluster.ApiServer.Tables;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>One resource at one version: what discovery says about it, how its objects are shaped, and the rules its writes follow.</summary>
public sealed record ResourceKind
{
    public static readonly IReadOnlyList<string> AllVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    public required string Group { get; init; }
    public required string Version { get; init; }
    public required string Kind { get; init; }
    public required string Plural { get; init; }
    public string Singular { get; init; } = "";
    public required bool Namespaced { get; init; }
    public IReadOnlyList<string> ShortNames { get; init; } = [];
    public IReadOnlyList<string> Categories { get; init; } = [];
    public IReadOnlyList<string> Verbs { get; init; } = AllVerbs;
    public IReadOnlyList<Subresource> Subresources { get; init; } = [];

    /// <summary>Shape of the objects, for ownership and (built-in kinds) decoding.</summary>
    public required StructSchema Type { get; init; }

    public required KindRules Rules { get; init; }

    public required ICodec Codec { get; init; }

    /// <summary>Defined by a CRD: objects are untyped JSON checked against a structural schema.</summary>
    public bool Custom { get; init; }

    public required string ListKind { get; init; }

    /// <summary>A custom resource's OpenAPI schema, for documents; null for the built-in ones.</summary>
    public JsonObject? Schema { get; init; }

    /// <summary>Columns of a custom resource's table; null for the built-in ones.</summary>
    public IReadOnlyList<Column>? Columns { get; init; }

    public ScalePaths ScalePaths { get; init; } = ScalePaths.Workload;

    /// <summary>Null where the served version is the stored one.</summary>
    public IConversion? Conversion { get; init; }

    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>The partition of the store. Versions of a resource, and the two faces of events, share one.</summary>
    public required string StorageKey { get; init; }

    /// <summary>In discovery; null for what is not stored.</summary>
    public string? StorageVersionHash { get; init; }

    /// <summary>The resource as error messages name it: <c>statefulsets.apps</c>.</summary>
    public string QualifiedPlural => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    public ResourceId Id => new(Group, Version, Plural);

    public Subresource? Sub(string name) => Subresources.FirstOrDefault(s => s.Name == name);
}

/// <summary>A subresource as discovery lists it. Group, version and kind are those of its body when they differ from the parent's.</summary>
public sealed record Subresource(string Name, string Kind, IReadOnlyList<string> Verbs, string Group = "", string Version = "");
