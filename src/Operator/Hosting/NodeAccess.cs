using Opt.Kubernetes;

namespace Opt.Operator.Hosting;

/// <summary>Asks the API server what this identity may do with nodes: a single-namespace install may not touch them, and says so in every job.</summary>
internal static class NodeAccess
{
    private static readonly string[] Verbs = ["list", "watch", "patch"];

    public static async Task<bool> IsAllowedAsync(KubernetesClient client, CancellationToken ct)
    {
        foreach (var verb in Verbs)
        {
            if (!await IsAllowedAsync(client, verb, ct)) return false;
        }

        return true;
    }

    private static async Task<bool> IsAllowedAsync(KubernetesClient client, string verb, CancellationToken ct)
    {
        var review = new V1SelfSubjectAccessReview { Spec = new() { ResourceAttributes = new() { Resource = "nodes", Verb = verb } } };
        return (await client.Resource(Resources.SelfSubjectAccessReviews).CreateAsync(review, ct)).Status?.Allowed ?? false;
    }
}
