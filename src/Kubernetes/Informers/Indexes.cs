namespace Opt.Kubernetes;

/// <summary>Ready-made indexes for <see cref="InformerOptions{T}.Indexes"/>.</summary>
public static class Indexes
{
    public const string OwnerUid = "ownerUid";
    public const string Node = "node";

    /// <summary>Files objects under the uid of each owner.</summary>
    public static KeyValuePair<string, Func<T, IEnumerable<string>>> ByOwner<T>(ResourceDefinition<T> definition) where T : class =>
        new(OwnerUid, item => definition.MetadataOf(item).OwnerReferences?.Select(o => o.Uid).OfType<string>() ?? []);

    /// <summary>Files pods under the node they are bound to.</summary>
    public static KeyValuePair<string, Func<V1Pod, IEnumerable<string>>> ByNode() => new(Node, static pod => pod.Spec?.NodeName is { Length: > 0 } node ? [node] : []);
}
