using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.CustomResources;

/// <summary>Comes back to CRDs whose deletion had to wait for the finalizers of their objects.</summary>
internal sealed class CrdController(ApiContext context)
{
    private const string Crds = "apiextensions.k8s.io/customresourcedefinitions";
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        while (true)
        {
            var more = Next();
            var leaving = context.Store.List(Crds, null).Objects.Select(o => o.ToTree()).Where(c => c.IsDeleting()).ToArray();
            foreach (var crd in leaving) await AdvanceAsync(crd, ct);
            if (leaving.Length == 0) await more.WaitAsync(ct);
            else await Task.WhenAny(more, Task.Delay(Retry, context.Clock, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    private async Task AdvanceAsync(JsonObject crd, CancellationToken ct)
    {
        try
        {
            await CrdLifecycle.AdvanceAsync(context, crd, ct);
        }
        catch (ApiException)
        {
            // Gone meanwhile, or something refuses a deletion; the next round sees what is left.
        }
    }

    private Task Next() => context.Store.Read(Crds, context.Store.Revision).More;
}
