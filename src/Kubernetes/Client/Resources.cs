using System.Text.Json.Serialization.Metadata;

namespace Opt.Kubernetes;

/// <summary>The resources this library has models for.</summary>
public static class Resources
{
    public static readonly ResourceDefinition<V1Pod> Pods = Of("", "v1", "Pod", "pods", KubernetesJson.Default.V1Pod);
    public static readonly ResourceDefinition<V1Node> Nodes = Of("", "v1", "Node", "nodes", KubernetesJson.Default.V1Node, namespaced: false);
    public static readonly ResourceDefinition<V1Namespace> Namespaces = Of("", "v1", "Namespace", "namespaces", KubernetesJson.Default.V1Namespace, namespaced: false);
    public static readonly ResourceDefinition<V1Service> Services = Of("", "v1", "Service", "services", KubernetesJson.Default.V1Service);
    public static readonly ResourceDefinition<V1Secret> Secrets = Of("", "v1", "Secret", "secrets", KubernetesJson.Default.V1Secret);
    public static readonly ResourceDefinition<V1ConfigMap> ConfigMaps = Of("", "v1", "ConfigMap", "configmaps", KubernetesJson.Default.V1ConfigMap);
    public static readonly ResourceDefinition<V1ServiceAccount> ServiceAccounts = Of("", "v1", "ServiceAccount", "serviceaccounts", KubernetesJson.Default.V1ServiceAccount);
    public static readonly ResourceDefinition<V1StatefulSet> StatefulSets = Of("apps", "v1", "StatefulSet", "statefulsets", KubernetesJson.Default.V1StatefulSet);
    public static readonly ResourceDefinition<V1ControllerRevision> ControllerRevisions = Of("apps", "v1", "ControllerRevision", "controllerrevisions", KubernetesJson.Default.V1ControllerRevision);
    public static readonly ResourceDefinition<V1PodDisruptionBudget> PodDisruptionBudgets = Of("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", KubernetesJson.Default.V1PodDisruptionBudget);
    public static readonly ResourceDefinition<V1Lease> Leases = Of("coordination.k8s.io", "v1", "Lease", "leases", KubernetesJson.Default.V1Lease);
    public static readonly ResourceDefinition<Eventsv1Event> Events = Of("events.k8s.io", "v1", "Event", "events", KubernetesJson.Default.Eventsv1Event);
    public static readonly ResourceDefinition<V1TokenReview> TokenReviews = Of("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", KubernetesJson.Default.V1TokenReview, namespaced: false);
    public static readonly ResourceDefinition<V1SubjectAccessReview> SubjectAccessReviews = Of("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", KubernetesJson.Default.V1SubjectAccessReview, namespaced: false);
    public static readonly ResourceDefinition<V1SelfSubjectAccessReview> SelfSubjectAccessReviews = Of("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", KubernetesJson.Default.V1SelfSubjectAccessReview, namespaced: false);

    /// <summary>The definition of a kind that carries this library's metadata.</summary>
    public static ResourceDefinition<T> Of<T>(string group, string version, string kind, string plural, JsonTypeInfo<T> typeInfo, bool namespaced = true)
        where T : class, IKubernetesObject => new(group, version, kind, plural, namespaced, typeInfo, static item => item.Metadata);
}
