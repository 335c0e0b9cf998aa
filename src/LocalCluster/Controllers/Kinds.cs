using Opt.LocalCluster.ApiServer;

namespace Opt.LocalCluster.Controllers;

/// <summary>The resources that the control plane itself works on.</summary>
internal static class Kinds
{
    public static readonly ResourceId Pods = ResourceId.Pods;
    public static readonly ResourceId Nodes = ResourceId.Nodes;
    public static readonly ResourceId StatefulSets = ResourceId.StatefulSets;
    public static readonly ResourceId ControllerRevisions = new("apps", "v1", "controllerrevisions");
    public static readonly ResourceId Deployments = new("apps", "v1", "deployments");
    public static readonly ResourceId ReplicaSets = new("apps", "v1", "replicasets");
    public static readonly ResourceId Jobs = new("batch", "v1", "jobs");
    public static readonly ResourceId Namespaces = new("", "v1", "namespaces");
    public static readonly ResourceId Services = new("", "v1", "services");
    public static readonly ResourceId Endpoints = new("", "v1", "endpoints");
    public static readonly ResourceId EndpointSlices = new("discovery.k8s.io", "v1", "endpointslices");
    public static readonly ResourceId ConfigMaps = new("", "v1", "configmaps");
    public static readonly ResourceId Secrets = new("", "v1", "secrets");
    public static readonly ResourceId ServiceAccounts = new("", "v1", "serviceaccounts");
    public static readonly ResourceId Events = new("", "v1", "events");

    /// <summary>The same events under the names of events.k8s.io.</summary>
    public static readonly ResourceId NewEvents = new("events.k8s.io", "v1", "events");
    public static readonly ResourceId Leases = new("coordination.k8s.io", "v1", "leases");
    public static readonly ResourceId DisruptionBudgets = new("policy", "v1", "poddisruptionbudgets");
}
