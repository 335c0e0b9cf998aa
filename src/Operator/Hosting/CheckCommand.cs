using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Jobs;
using Opt.Operator.Rendering;

namespace Opt.Operator.Hosting;

/// <summary>What <c>opt-operator check</c> looks at.</summary>
/// <param name="KubeConfig">Null: in-cluster credentials if there are any, else the default kubeconfig.</param>
/// <param name="Namespace">Where the operator runs.</param>
/// <param name="Lease">Name of the leader's lease.</param>
/// <param name="Webhooks">Whether the admission webhooks are installed.</param>
public sealed record CheckOptions(string? KubeConfig, string Namespace, string Lease, bool Webhooks);

/// <summary><c>opt-operator check</c>: whether an installation works, seen from outside. Prints a line a check and answers 1 if one fails.</summary>
internal static class CheckCommand
{
    // A fault that neither the definition's schema nor its CEL rules can see, so that only the webhook refuses it.
    private const string BadSpec = """
        {"model": {"preset": "opt-125m"}, "topology": {"nodes": 1}, "pod": {"image": "none"},
         "data": {"train": [{"path": "../outside"}]}, "checkpoint": {"store": {"directory": {"path": "/checkpoints"}}}}
        """;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(45);

    public static async Task<int> ExecuteAsync(CheckOptions options, TextWriter output, TextWriter error, CancellationToken ct)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline.CancelAfter(Deadline);
        try
        {
            using var client = new KubernetesClient(KubernetesClientConfiguration.BuildDefaultConfig(options.KubeConfig), new() { FieldManager = Names.FieldManager, UserAgent = "opt-operator-check/0.1" }, TimeProvider.System);
            await PassAsync(ct => DefinitionAsync(client, options, ct), output, deadline.Token);
            await PassAsync(ct => LeaderAsync(client, options, ct), output, deadline.Token);
            if (options.Webhooks) await PassAsync(ct => WebhookAsync(client, options, ct), output, deadline.Token);
            return 0;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            await error.WriteLineAsync($"fail  no answer within {Deadline.TotalSeconds:0} s");
            return 1;
        }
        catch (Exception e) when (e is CheckFailedException or KubernetesException or KubeConfigException or IOException)
        {
            await error.WriteLineAsync($"fail  {e.Message}");
            return 1;
        }
    }

    /// <summary>Tries until it passes or time is up: right after an installation leases and webhooks take a moment.</summary>
    private static async Task PassAsync(Func<CancellationToken, Task<string>> check, TextWriter output, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                await output.WriteLineAsync($"ok    {await check(ct)}");
                return;
            }
            catch (CheckFailedException e)
            {
                await AgainAsync(e, ct);
            }
        }
    }

    private static async Task AgainAsync(CheckFailedException failed, CancellationToken ct)
    {
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, ct);
        }
        catch (OperationCanceledException)
        {
            throw failed;
        }
    }

    private static async Task<string> DefinitionAsync(KubernetesClient client, CheckOptions options, CancellationToken ct)
    {
        var jobs = await client.Resource(JobObject.Definition).ListPageAsync(options.Namespace, new() { PageSize = 1 }, ct);
        return $"the API server serves {OptTrainingJob.Plural}.{OptTrainingJob.Group} ({(jobs.Items.Count == 0 ? "no job" : "jobs")} in {options.Namespace})";
    }

    private static async Task<string> LeaderAsync(KubernetesClient client, CheckOptions options, CancellationToken ct)
    {
        var lease = (await client.Resource(Resources.Leases).FindAsync(new(options.Namespace, options.Lease), ct))?.Spec;
        if (lease is not { HolderIdentity: { Length: > 0 } holder, RenewTime: { } renewed }) throw new CheckFailedException($"no operator leads: lease {options.Namespace}/{options.Lease} has no holder");
        var age = TimeProvider.System.GetUtcNow() - renewed;
        return age <= TimeSpan.FromSeconds(lease.LeaseDurationSeconds ?? 15) ? $"{holder} leads" : throw new CheckFailedException($"no operator leads: {holder} renewed its lease {age.TotalSeconds:0} s ago");
    }

    private static async Task<string> WebhookAsync(KubernetesClient client, CheckOptions options, CancellationToken ct)
    {
        var job = new JobObject { Metadata = new() { Name = "opt-operator-check", Namespace = options.Namespace }, Spec = JsonNode.Parse(BadSpec)!.AsObject() };
        try
        {
            await client.Resource(JobObject.Definition).CreateAsync(job, ct, new() { DryRun = true });
        }
        catch (KubernetesException e) when (e.Message.Contains("spec.data.train[0].path", StringComparison.Ordinal))
        {
            return "the webhook refuses a bad job and names the field";
        }

        throw new CheckFailedException("the webhook let a bad job pass: it does not answer the API server, or is not installed");
    }

    private sealed class CheckFailedException(string message) : Exception(message);
}
