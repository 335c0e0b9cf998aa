namespace Opt.LocalCluster.Objects;

/// <summary>Namespace (empty for cluster-scoped objects) and name.</summary>
internal readonly record struct ObjectKey(string Namespace, string Name)
{
    public override string ToString() => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";
}
