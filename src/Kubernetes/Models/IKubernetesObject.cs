namespace Opt.Kubernetes;

/// <summary>What every stored kind of the library has. Kinds of a consumer need not implement it: see <see cref="ResourceDefinition{T}"/>.</summary>
public interface IKubernetesObject
{
    string ApiVersion { get; }

    string Kind { get; }

    V1ObjectMeta Metadata { get; }
}
