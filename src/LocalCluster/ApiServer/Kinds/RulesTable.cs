using Opt.LocalCluster.ApiServer.CustomResources;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Which rules each built-in kind follows.</summary>
internal static class RulesTable
{
    public static KindRules For(string group, string kind) => (group, kind) switch
    {
        ("", "Pod") => new PodRules(),
        ("", "Node") => new NodeRules(),
        ("", "Namespace") => new NamespaceRules(),
        ("", "ConfigMap") => new ConfigMapRules(),
        ("", "Secret") => new SecretRules(),
        ("", "Service") => new ServiceRules(),
        ("", "Event") or ("events.k8s.io", "Event") => new EventRules(),
        ("", "PersistentVolumeClaim" or "PersistentVolume" or "ReplicationController" or "ResourceQuota") => new SpecStatusRules(generation: false),
        ("apps", "StatefulSet") => new StatefulSetRules(),
        ("apps", "Deployment") => new DeploymentRules(),
        ("apps", "ReplicaSet") => new ReplicaSetRules(),
        ("apps", "DaemonSet") => new DaemonSetRules(),
        ("batch", "Job") => new JobRules(),
        ("batch", "CronJob") => new SpecStatusRules(),
        ("policy", "PodDisruptionBudget") => new DisruptionBudgetRules(),
        ("networking.k8s.io", "Ingress" or "NetworkPolicy") => new SpecStatusRules(),
        ("rbac.authorization.k8s.io", "Role" or "ClusterRole") => new RoleRules(),
        ("rbac.authorization.k8s.io", _) => new RoleBindingRules(),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => new WebhookConfigurationRules(mutating: true),
        ("admissionregistration.k8s.io", _) => new WebhookConfigurationRules(mutating: false),
        ("apiextensions.k8s.io", _) => new CrdRules(),
        ("coordination.k8s.io", "Lease") => new LeaseRules(),
        ("scheduling.k8s.io", "PriorityClass") => new PriorityClassRules(),
        _ => new PlainRules(),
    };
}
