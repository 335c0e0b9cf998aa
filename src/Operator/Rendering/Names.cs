using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Operator.Rendering;

/// <summary>Names, labels and annotations of what the operator makes or marks.</summary>
internal static class Names
{
    public const string FieldManager = "opt-operator";
    public const int AgentPort = 9440;
    public const string TrainerContainer = "trainer";
    public const string TokenKey = "token";
    public const string CertificateKey = "tls.crt", CertificateKeyKey = "tls.key";
    public const string PlanKey = "plan.json";

    /// <summary>In place of a plan: why nobody may make one of that epoch.</summary>
    public const string SkippedKey = "skipped";

    /// <summary>Key of the spec a plan was decided under.</summary>
    public const string SpecKey = "spec.json";

    /// <summary>On every owned object and pod: the job's name. The informers select by it.</summary>
    public const string JobLabel = $"{OptTrainingJob.Group}/job";

    /// <summary>On pods whose agent speaks TLS: "https".</summary>
    public const string AgentSchemeLabel = $"{OptTrainingJob.Group}/agent-scheme";

    /// <summary>On plan ConfigMaps.</summary>
    public const string EpochLabel = $"{OptTrainingJob.Group}/epoch";
    public const string RevisionLabel = $"{OptTrainingJob.Group}/revision";

    /// <summary>On a node: it is put aside; the value is the reason. Pods of jobs require its absence.</summary>
    public const string QuarantinedLabel = $"{OptTrainingJob.Group}/quarantined";

    /// <summary>On a quarantined node: JSON {reason, message, job, jobUid, causeId, at, until, keepsCordon}.</summary>
    public const string QuarantineAnnotation = $"{OptTrainingJob.Group}/quarantine";

    /// <summary>On a node: JSON {since, offences: [{at, jobUid, causeId, reason, quarantined}]}, what jobs had against it since a person gave it back.</summary>
    public const string OffencesAnnotation = $"{OptTrainingJob.Group}/offences";

    /// <summary>On the StatefulSet: digest of what its template was rendered from.</summary>
    public const string PodDigestAnnotation = $"{OptTrainingJob.Group}/pod-digest";

    /// <summary>On the StatefulSet: JSON, how the job ended; written in the same request as replicas 0.</summary>
    public const string OutcomeAnnotation = $"{OptTrainingJob.Group}/outcome";

    /// <summary>On the StatefulSet: JSON {at, times}, set while pods are released because members could not be placed.</summary>
    public const string ReleaseAnnotation = $"{OptTrainingJob.Group}/release";

    /// <summary>On the StatefulSet: when a person last intervened; budgets look back no further.</summary>
    public const string CountersSinceAnnotation = $"{OptTrainingJob.Group}/counters-since";

    public static string Secret(string job) => $"{job}-agent";

    public static string Plan(RunPlan plan) => plan.Revision == 0 ? Plan(plan.JobName, plan.Epoch) : $"{Plan(plan.JobName, plan.Epoch)}-{plan.Revision}";

    public static string Plan(string job, long epoch) => $"{job}-plan-{epoch}";
}
