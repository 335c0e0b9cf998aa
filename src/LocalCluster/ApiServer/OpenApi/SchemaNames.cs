using Opt.LocalCluster.ApiServer.Kinds;

namespace Opt.LocalCluster.ApiServer.OpenApi;

/// <summary>Names of schemas in OpenAPI documents.</summary>
internal static class SchemaNames
{
    public const string ObjectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    public const string ListMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
    public const string Quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity";
    public const string IntOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
    public const string Time = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
    public const string MicroTime = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";

    /// <summary>The name of a built-in struct, as in <c>core.Pod</c>.</summary>
    public static string Of(string type)
    {
        var (group, name) = (type.Split('.')[0], type.Split('.')[1]);
        return group switch
        {
            "meta" => $"io.k8s.apimachinery.pkg.apis.meta.v1.{name}",
            "apiextensions" => $"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.{name}",
            _ => $"io.k8s.api.{group}.v1.{name}",
        };
    }

    public static string Of(ResourceKind kind) =>
        kind.Custom ? $"{string.Join('.', kind.Group.Split('.').Reverse())}.{kind.Version}.{kind.Kind}" : Of(kind.Type.Name);
}
