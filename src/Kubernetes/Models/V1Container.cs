namespace Opt.Kubernetes;

/// <summary>One container of a pod.</summary>
public sealed record V1Container : OpenRecord
{
    public string? Name { get; init; }
    public string? Image { get; init; }
    public string? ImagePullPolicy { get; init; }
    public IReadOnlyList<string>? Command { get; init; }
    public IReadOnlyList<string>? Args { get; init; }
    public string? WorkingDir { get; init; }
    public IReadOnlyList<V1ContainerPort>? Ports { get; init; }
    public IReadOnlyList<V1EnvVar>? Env { get; init; }
    public IReadOnlyList<V1EnvFromSource>? EnvFrom { get; init; }
    public V1ResourceRequirements? Resources { get; init; }
    public IReadOnlyList<V1VolumeMount>? VolumeMounts { get; init; }
    public V1Probe? LivenessProbe { get; init; }
    public V1Probe? ReadinessProbe { get; init; }
    public V1Probe? StartupProbe { get; init; }
    public V1Lifecycle? Lifecycle { get; init; }
    public V1SecurityContext? SecurityContext { get; init; }
    public string? RestartPolicy { get; init; }
    public string? TerminationMessagePath { get; init; }
    public string? TerminationMessagePolicy { get; init; }
    public bool? Stdin { get; init; }
    public bool? Tty { get; init; }
}

public sealed record V1ContainerPort : OpenRecord
{
    public string? Name { get; init; }
    public int? ContainerPort { get; init; }
    public int? HostPort { get; init; }
    public string? HostIP { get; init; }
    public string? Protocol { get; init; }
}

public sealed record V1EnvVar : OpenRecord
{
    public string? Name { get; init; }
    public string? Value { get; init; }
    public V1EnvVarSource? ValueFrom { get; init; }
}

public sealed record V1EnvVarSource : OpenRecord
{
    public V1ObjectFieldSelector? FieldRef { get; init; }
    public V1ResourceFieldSelector? ResourceFieldRef { get; init; }
    public V1ConfigMapKeySelector? ConfigMapKeyRef { get; init; }
    public V1SecretKeySelector? SecretKeyRef { get; init; }
}

public sealed record V1ObjectFieldSelector : OpenRecord
{
    public string? ApiVersion { get; init; }
    public string? FieldPath { get; init; }
}

public sealed record V1ResourceFieldSelector : OpenRecord
{
    public string? ContainerName { get; init; }
    public string? Resource { get; init; }
    public ResourceQuantity? Divisor { get; init; }
}

public sealed record V1ConfigMapKeySelector : OpenRecord
{
    public string? Name { get; init; }
    public string? Key { get; init; }
    public bool? Optional { get; init; }
}

public sealed record V1SecretKeySelector : OpenRecord
{
    public string? Name { get; init; }
    public string? Key { get; init; }
    public bool? Optional { get; init; }
}

public sealed record V1EnvFromSource : OpenRecord
{
    public string? Prefix { get; init; }
    public V1EnvSourceReference? ConfigMapRef { get; init; }
    public V1EnvSourceReference? SecretRef { get; init; }
}

/// <summary>The config map or secret whose every key becomes a variable.</summary>
public sealed record V1EnvSourceReference : OpenRecord
{
    public string? Name { get; init; }
    public bool? Optional { get; init; }
}

public sealed record V1ResourceRequirements : OpenRecord
{
    public IReadOnlyDictionary<string, ResourceQuantity>? Limits { get; init; }
    public IReadOnlyDictionary<string, ResourceQuantity>? Requests { get; init; }
}

public sealed record V1VolumeMount : OpenRecord
{
    public string? Name { get; init; }
    public string? MountPath { get; init; }
    public string? SubPath { get; init; }
    public string? SubPathExpr { get; init; }
    public bool? ReadOnly { get; init; }
    public string? MountPropagation { get; init; }
}

/// <summary>A check by the kubelet; exactly one of the four actions is set.</summary>
public sealed record V1Probe : OpenRecord
{
    public V1HTTPGetAction? HttpGet { get; init; }
    public V1TCPSocketAction? TcpSocket { get; init; }
    public V1ExecAction? Exec { get; init; }
    public V1GRPCAction? Grpc { get; init; }
    public int? InitialDelaySeconds { get; init; }
    public int? PeriodSeconds { get; init; }
    public int? TimeoutSeconds { get; init; }
    public int? SuccessThreshold { get; init; }
    public int? FailureThreshold { get; init; }
    public long? TerminationGracePeriodSeconds { get; init; }
}

public sealed record V1HTTPGetAction : OpenRecord
{
    public string? Host { get; init; }
    public string? Path { get; init; }
    public IntOrString? Port { get; init; }
    public string? Scheme { get; init; }
    public IReadOnlyList<V1HTTPHeader>? HttpHeaders { get; init; }
}

public sealed record V1HTTPHeader : OpenRecord
{
    public string? Name { get; init; }
    public string? Value { get; init; }
}

public sealed record V1TCPSocketAction : OpenRecord
{
    public string? Host { get; init; }
    public IntOrString? Port { get; init; }
}

public sealed record V1GRPCAction : OpenRecord
{
    public int? Port { get; init; }
    public string? Service { get; init; }
}

public sealed record V1ExecAction : OpenRecord
{
    public IReadOnlyList<string>? Command { get; init; }
}

public sealed record V1Lifecycle : OpenRecord
{
    public V1LifecycleHandler? PostStart { get; init; }
    public V1LifecycleHandler? PreStop { get; init; }
    public string? StopSignal { get; init; }
}

public sealed record V1LifecycleHandler : OpenRecord
{
    public V1ExecAction? Exec { get; init; }
    public V1HTTPGetAction? HttpGet { get; init; }
}

public sealed record V1SecurityContext : OpenRecord
{
    public bool? AllowPrivilegeEscalation { get; init; }
    public bool? Privileged { get; init; }
    public bool? ReadOnlyRootFilesystem { get; init; }
    public long? RunAsUser { get; init; }
    public long? RunAsGroup { get; init; }
    public bool? RunAsNonRoot { get; init; }
    public V1Capabilities? Capabilities { get; init; }
    public V1SeccompProfile? SeccompProfile { get; init; }
}

public sealed record V1Capabilities : OpenRecord
{
    public IReadOnlyList<string>? Add { get; init; }
    public IReadOnlyList<string>? Drop { get; init; }
}
