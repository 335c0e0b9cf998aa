using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Services: port defaults and the cluster address. Addresses come from 10.96.0.0/16, node ports from 30000 up; nothing routes to them here.</summary>
public sealed class ServiceRules : KindRules
{
    public override bool HasStatus => true;

    public override IReadOnlyList<string> SelectableFields => ["spec.clusterIP", "spec.type"];

    public override void Default(JsonObject item)
    {
        var spec = item.Ensure("spec");
        spec.Default("sessionAffinity", "None");
        spec.Default("type", "ClusterIP");
        if (spec.Str("type") != "ExternalName") spec.Default("internalTrafficPolicy", "Cluster");
        if (spec.Str("type") is "NodePort" or "LoadBalancer") spec.Default("externalTrafficPolicy", "Cluster");
        if (spec.Str("type") == "LoadBalancer") spec.Default("allocateLoadBalancerNodePorts", true);
        foreach (var port in spec.Items("ports"))
        {
            port.Default("protocol", "TCP");
            if (port["targetPort"].SameAs(0) || port["targetPort"].Str() == "") port.Remove("targetPort");
            if (port["port"] is { } number) port.Default("targetPort", number.DeepClone());
        }
    }

    public override void PrepareForCreate(JsonObject item, ApiContext context)
    {
        item["status"] = new JsonObject { ["loadBalancer"] = new JsonObject() };
        var spec = item.Ensure("spec");
        if (spec.Str("type") == "ExternalName") return;
        if (spec.Str("clusterIP") is null or "") spec["clusterIP"] = FreeAddress(context, item);
        spec["clusterIPs"] = new JsonArray(spec.Str("clusterIP"));
        spec.Default("ipFamilies", new JsonArray("IPv4"));
        spec.Default("ipFamilyPolicy", "SingleStack");
        if (spec.Str("type") is "NodePort" or "LoadBalancer") NodePorts(context, item);
    }

    public override void PrepareForUpdate(JsonObject item, JsonObject old)
    {
        base.PrepareForUpdate(item, old);
        var spec = item.Ensure("spec");
        foreach (var name in (ReadOnlySpan<string>)["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"])
        {
            if (old.At("spec", name) is { } value) spec.Default(name, value.DeepClone());
        }
    }

    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        var index = 0;
        var ports = item.Items("spec", "ports").ToArray();
        if (ports.Length == 0 && item.Str("spec", "clusterIP") != "None" && item.Str("spec", "type") != "ExternalName") errors.Add(FieldError.Required("spec.ports"));
        foreach (var port in ports)
        {
            var at = $"spec.ports[{(index++).ToString(CultureInfo.InvariantCulture)}]";
            if (ports.Length > 1 && string.IsNullOrEmpty(port.Str("name"))) errors.Add(FieldError.Required($"{at}.name"));
            if (port["port"].Long() is not (>= 1 and <= 65535)) errors.Add(FieldError.Invalid($"{at}.port", port["port"] ?? 0, "must be between 1 and 65535, inclusive"));
        }

        if (item.Str("spec", "type") is { } type && type is not ("ClusterIP" or "NodePort" or "LoadBalancer" or "ExternalName"))
        {
            errors.Add(FieldError.NotSupported("spec.type", type, ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]));
        }
    }

    public override void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors)
    {
        if (item.Str("spec", "type") == old.Str("spec", "type") && !item.At("spec", "clusterIP").SameAs(old.At("spec", "clusterIP")))
        {
            errors.Add(FieldError.Invalid("spec.clusterIPs[0]", item.At("spec", "clusterIP"), "may not change once set"));
        }

        Validate(item, errors);
    }

    public override NameRule NameRule => NameRule.Label;

    private static string FreeAddress(ApiContext context, JsonObject item)
    {
        var taken = context.Store.List("/services", null).Objects.Select(o => o.Field("spec.clusterIP")).ToHashSet();
        for (var host = 1; host < 65535; host++)
        {
            var address = string.Create(CultureInfo.InvariantCulture, $"10.96.{host >> 8}.{host & 255}");
            if (!taken.Contains(address)) return address;
        }

        throw ApiErrors.Internal($"failed to allocate IP for service {item.Namespace()}/{item.Name()}: range is full");
    }

    private static void NodePorts(ApiContext context, JsonObject item)
    {
        var taken = context.Store.List("/services", null).Objects.SelectMany(o => o.ToTree().Items("spec", "ports")).Select(p => p["nodePort"].Long() ?? 0).ToHashSet();
        foreach (var port in item.Items("spec", "ports"))
        {
            if (port["nodePort"].Long() is > 0) continue;
            var number = Enumerable.Range(30000, 2768).First(n => taken.Add(n));
            port["nodePort"] = number;
        }
    }
}
