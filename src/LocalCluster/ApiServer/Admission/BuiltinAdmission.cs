using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Storage;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>
/// The admission plugins that a stock server runs and that one can see from outside: NamespaceLifecycle, ServiceAccount,
/// DefaultTolerationSeconds, Priority and OwnerReferencesPermissionEnforcement's neighbours are reduced to these.
/// </summary>
public sealed class BuiltinAdmission(ObjectStore store, IdSource ids) : IAdmission
{
    private static readonly string[] Permanent = ["default", "kube-system", "kube-public"];

    public ValueTask MutateAsync(AdmissionReviewRequest review, CancellationToken ct)
    {
        NamespaceLifecycle(review);
        if (review is { Operation: Operation.Create, Subresource: null, Kind: { Group: "", Kind: "Pod" }, Object: { } pod })
        {
            ServiceAccountAdmission.Mutate(store, ids, pod, review.Namespace);
            PodDefaultsAdmission.Mutate(store, pod);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask ValidateAsync(AdmissionReviewRequest review, CancellationToken ct) => ValueTask.CompletedTask;

    private void NamespaceLifecycle(AdmissionReviewRequest review)
    {
        if (review is { Operation: Operation.Delete, Kind: { Group: "", Kind: "Namespace" } } && Permanent.Contains(review.Name))
        {
            throw ApiErrors.Forbidden(review.Kind, review.Name, "this namespace may not be deleted");
        }

        if (review.Operation != Operation.Create || !review.Kind.Namespaced) return;
        var home = store.Get("/namespaces", "", review.Namespace) ?? throw NoNamespace(review.Namespace);
        if (home.Field("status.phase") != "Terminating") return;
        var refusal = ApiErrors.Forbidden(review.Kind, review.Name, $"unable to create new content in namespace {review.Namespace} because it is being terminated");
        ((JsonObject)refusal.Status["details"]!)["causes"] = new JsonArray(new JsonObject
        {
            ["reason"] = "NamespaceTerminating",
            ["message"] = $"namespace {review.Namespace} is being terminated",
            ["field"] = "metadata.namespace",
        });
        throw refusal;
    }

    private static ApiException NoNamespace(string name) => ApiErrors.Error(
        404, "NotFound", $"namespaces \"{name}\" not found", new JsonObject { ["name"] = name, ["kind"] = "namespaces" });
}
