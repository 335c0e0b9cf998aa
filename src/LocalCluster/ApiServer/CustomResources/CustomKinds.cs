using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;
using Opt.LocalCluster.ApiServer.Subresources;

namespace Opt.LocalCluster.ApiServer.CustomResources;

/// <summary>Turns an established CRD into the resources it defines, one for each served version.</summary>
internal static class CustomKinds
{
    private static readonly string[] Verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

    public static IEnumerable<ResourceKind> From(JsonObject crd)
    {
        var spec = crd.Obj("spec") ?? [];
        var stored = spec.Items("versions").FirstOrDefault(v => v["storage"].Bool() == true)?.Str("name") ?? "";
        return spec.Items("versions").Where(v => v["served"].Bool() == true).Select(v => Kind(spec, crd.Obj("status", "acceptedNames") ?? spec.Obj("names") ?? [], v, stored));
    }

    private static ResourceKind Kind(JsonObject spec, JsonObject names, JsonObject version, string stored)
    {
        var (group, name, plural, kind) = (spec.Str("group") ?? "", version.Str("name") ?? "", names.Str("plural") ?? "", names.Str("kind") ?? "");
        var schema = StructuralSchema.Read(version.Obj("schema", "openAPIV3Schema") ?? []);
        var (hasStatus, scale) = (version.Obj("subresources", "status") is not null, version.Obj("subresources", "scale"));
        return new ResourceKind
        {
            Group = group,
            Version = name,
            Plural = plural,
            Singular = names.Str("singular") ?? "",
            Kind = kind,
            ListKind = names.Str("listKind") ?? kind + "List",
            Namespaced = spec.Str("scope") == "Namespaced",
            ShortNames = names.Strings("shortNames"),
            Categories = names.Strings("categories"),
            Verbs = Verbs,
            Subresources = [.. Subresources(kind, hasStatus, scale)],
            Type = schema.ToRootType(kind),
            Rules = new CustomRules(schema, hasStatus, [.. version.Items("selectableFields").Select(f => f.Str("jsonPath")!.TrimStart('.'))]),
            Codec = new CustomCodec(schema, $"{group}/{name}", kind),
            Custom = true,
            Schema = version.Obj("schema", "openAPIV3Schema"),
            StorageKey = $"{group}/{plural}",
            StorageVersionHash = BuiltinKinds.Hash(group, stored, kind),
            Columns = PrinterColumns.Read(version),
            ScalePaths = scale is null ? ScalePaths.Workload : new ScalePaths(scale.Str("specReplicasPath") ?? "", scale.Str("statusReplicasPath") ?? "", scale.Str("labelSelectorPath")),
            Conversion = name == stored ? null : new RenamedVersion($"{group}/{stored}", $"{group}/{name}"),
        };
    }

    private static IEnumerable<Subresource> Subresources(string kind, bool hasStatus, JsonObject? scale)
    {
        string[] verbs = ["get", "patch", "update"];
        if (hasStatus) yield return new Subresource("status", kind, verbs);
        if (scale is not null) yield return new Subresource("scale", "Scale", verbs, "autoscaling", "v1");
    }

    // Strategy None: versions differ in their apiVersion only.
    private sealed class RenamedVersion(string stored, string served) : IConversion
    {
        public JsonObject ToStorage(JsonObject item) => As(item, stored);

        public JsonObject FromStorage(JsonObject item) => As(item, served);

        private static JsonObject As(JsonObject item, string apiVersion)
        {
            item["apiVersion"] = apiVersion;
            return item;
        }
    }
}
