using System.Text.Json;
using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Agents;
using Opt.Operator.Cluster;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Jobs;

/// <summary>Takes the snapshot a decision is made from: informers, agents, and what only a request can tell (the token, whether the template would be accepted).</summary>
internal sealed class Observer(OperatorInformers informers, KubernetesClient client, PlanReader plans, EvidenceStore evidence, bool canActOnNodes, int agentPort, QuarantineGate gate, TimeProvider clock)
{
    /// <summary>Age at which the Secret is read again, and the least while agents refuse what it held.</summary>
    private static readonly TimeSpan CredentialAge = TimeSpan.FromMinutes(5), RefusedAge = TimeSpan.FromSeconds(5);

    private readonly ResourceClient<V1Secret> _secrets = client.Resource(Resources.Secrets);
    private readonly ResourceClient<V1StatefulSet> _sets = client.Resource(Resources.StatefulSets);

    public async Task<Observation> ObserveAsync(OptTrainingJob job, JobState state, CancellationToken ct)
    {
        await ReadCredentialAsync(job, state, ct);
        var owned = Of(informers.Pods, job).Where(p => IsOwned(p.Metadata, "StatefulSet")).ToArray();
        var pods = owned.Select(PodReader.Read).OrderBy(p => p.Ordinal).ToArray();
        var set = Of(informers.StatefulSets, job).FirstOrDefault(s => s.Metadata.ControllerOwner()?.Uid == job.Metadata.Uid && s.Metadata.DeletionTimestamp is null);
        var stored = Of(informers.Plans, job).Where(m => m.Metadata.DeletionTimestamp is null).Select(m => plans.Read(m, job.Metadata.Uid)).OfType<StoredPlan>()
            .OrderBy(p => (p.Plan.Epoch, p.Plan.Revision)).ToArray();
        await state.Agents.TrackAsync(Targets(owned, state));
        var digest = PodInputs.Digest(job.Spec);
        return new()
        {
            Owned = new()
            {
                Secret = state.Credential is { IsThere: true },
                Service = Of(informers.Services, job).Any(s => s.Metadata.ControllerOwner()?.Uid == job.Metadata.Uid),
                DisruptionBudget = Of(informers.DisruptionBudgets, job).Any(b => b.Metadata.ControllerOwner()?.Uid == job.Metadata.Uid),
            },
            StatefulSet = set is null ? null : StatefulSetMarks.Read(set),
            Pods = [.. pods],
            Evidence = [.. evidence.Of(stored.LastOrDefault()?.Plan.Members.Select(m => m.PodUid) ?? [])],
            Nodes = [.. NodesOf(pods, job)],
            Plans = [.. stored],
            Agents = state.Agents.Views,
            Steps = state.Agents.Steps(state.Status?.GoodputAsOf),
            PodDigest = digest,
            TemplateFaults = await TemplateFaultsAsync(job, state, set, digest, ct),
            CanActOnNodes = canActOnNodes,
            QuarantineRoom = canActOnNodes ? gate.Room() : 0,
            Rivals = [.. Rivals.Of(informers, job, set)],
            Memory = state.Memory,
        };
    }

    /// <summary>The spec that the newest plan was made under; null when there is none that can be read.</summary>
    public ValidSpec? LastValidSpec(ObjectKey job, string uid) => OperatorInformers.OfJob(informers.Plans, job.Namespace, job.Name)
        .Where(m => plans.Read(m, uid) is not null).OrderByDescending(m => plans.Read(m, uid)!.Plan is var p ? (p.Epoch, p.Revision) : default)
        .Select(PlanReader.SpecOf).FirstOrDefault();

    private static IEnumerable<T> Of<T>(Informer<T> informer, OptTrainingJob job) where T : class, IKubernetesObject =>
        OperatorInformers.OfJob(informer, job.Metadata.Namespace, job.Metadata.Name);

    private static bool IsOwned(V1ObjectMeta meta, string kind) => meta.ControllerOwner()?.Kind == kind;

    private AgentTarget[] Targets(IEnumerable<V1Pod> pods, JobState state) => state.Credential is not { } known
        ? []
        : [.. pods.Where(p => p.Status is { PodIP.Length: > 0, Phase: "Running" }).Select(p => Target(p, agentPort, known.Secret, known.Former))];

    /// <summary>How the agent of a pod is asked. Whether it speaks TLS is the pod's own business: the spec may have changed since it was made.</summary>
    public static AgentTarget Target(V1Pod pod, int port, AgentSecret secret, AgentSecret? former)
    {
        var secured = pod.Metadata.Labels?.GetValueOrDefault(Names.AgentSchemeLabel) == Uri.UriSchemeHttps;
        return new(pod.Metadata.Name!, pod.Metadata.Uid!, pod.Status!.PodIP!, port, secret.Token)
        {
            FormerToken = former?.Token == secret.Token ? null : former?.Token,
            Pin = secured ? secret.Pin ?? "none" : null,
            FormerPin = secured ? former?.Pin : null,
        };
    }

    private IEnumerable<NodeState> NodesOf(PodState[] pods, OptTrainingJob job)
    {
        if (!canActOnNodes) return [];
        var used = pods.Select(p => p.Node).OfType<string>().ToHashSet(StringComparer.Ordinal);
        var nodes = informers.Nodes.Snapshot;
        var rack = job.Spec.Pod.Scheduling?.Rack?.Label;
        var mine = used.Select(name => nodes.Find(ObjectKey.Cluster(name))).OfType<V1Node>().Select(n => NodeReader.Read(n, rack));
        var aside = OperatorInformers.Quarantined(nodes).Where(n => !used.Contains(n.Metadata.Name!)).Select(n => NodeReader.Read(n, rack)).Where(n => n.Quarantine?.JobUid == job.Metadata.Uid);
        return mine.Concat(aside).OrderBy(n => n.Name, StringComparer.Ordinal);
    }

    /// <summary>Reads the Secret: first, when an agent refuses what we hold, and now and then, since somebody may have deleted it to get another.</summary>
    private async Task ReadCredentialAsync(OptTrainingJob job, JobState state, CancellationToken ct)
    {
        var now = clock.GetTimestamp();
        if (state.Credential is { } held && clock.GetElapsedTime(held.ReadAt, now) is var age && age < CredentialAge && (age < RefusedAge || !state.Agents.IsRefused)) return;
        var secret = await _secrets.FindAsync(new(job.Metadata.Namespace, Names.Secret(job.Metadata.Name)), ct);
        var found = secret is not null && secret.Metadata.ControllerOwner()?.Uid == job.Metadata.Uid ? AgentSecret.Read(secret) : null;
        state.Credential = state.Credential is { } known ? known.Read(found, now) : found is null ? null : new(found, null, now);
    }

    /// <summary>Tries a new template on the API server with strict validation, once for each template.</summary>
    private async Task<EquatableList<string>> TemplateFaultsAsync(OptTrainingJob job, JobState state, V1StatefulSet? set, string digest, CancellationToken ct)
    {
        if (set?.Metadata.Annotations?.GetValueOrDefault(Names.PodDigestAnnotation) == digest) return [];
        if (state.Template is { } known && known.Key == digest) return known.Faults;
        // A Secret that an older operator made holds no certificate.
        if (job.Spec.Pod.Network?.Tls is true && state.Credential is { Secret.Pin: null }) return [$"spec.pod.network.tls: the Secret {Names.Secret(job.Metadata.Name)} holds no certificate; delete it, and the operator makes another"];
        var faults = await TryTemplateAsync(job, digest, ct);
        state.Template = (digest, faults);
        return faults;
    }

    private async Task<EquatableList<string>> TryTemplateAsync(OptTrainingJob job, string digest, CancellationToken ct)
    {
        try
        {
            var rendered = OwnedObjects.StatefulSet(job, 0, digest).Deserialize(KubernetesJson.Default.V1StatefulSet)!;
            return [.. (await _sets.DryRunApplyAsync(rendered, ct)).Faults];
        }
        catch (PodTemplateException e)
        {
            return [e.Message];
        }
        catch (JsonException e)
        {
            return [$"spec.pod.template: {e.Message}"];
        }
    }
}
