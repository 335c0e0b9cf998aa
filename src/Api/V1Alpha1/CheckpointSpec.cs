using System.Text.Json.Serialization;

namespace Opt.Api.V1Alpha1;

/// <summary>Where and how often state is saved, what is kept, and when a checkpoint counts as healthy.</summary>
public sealed record CheckpointSpec
{
    /// <summary>The store. Relaunch.</summary>
    public required StoreSpec Store { get; init; }

    /// <summary>"auto" (from the measured stall and failure rate, 1 to 15 minutes), or {steps: n}, or {minutes: n}. Live.</summary>
    public CheckpointInterval Every { get; set; } = new();

    /// <summary>Further checkpoints between those of the store, in the memory of the nodes alone: each rank's object on its node and at a partner's. Absent: none. Live.</summary>
    public MemoryCheckpointSpec? Memory { get; init; }

    /// <summary>How snapshots reach the store. Absent: with the defaults of its fields. Next launch, but whenBusy, which is live.</summary>
    public UploadSpec? Upload { get; init; }

    /// <summary>Retention. The last two healthy checkpoints are never deleted. Live.</summary>
    public RetentionSpec Keep { get; set; } = new();

    /// <summary>When a checkpoint turns Healthy. Live.</summary>
    public HealthSpec HealthyWhen { get; set; } = new();

    /// <summary>Allow this job to go on from a store that another job wrote. Live.</summary>
    public bool Adopt { get; init; }
}

/// <summary>Checkpoints that live in the memory of the nodes. A lost node costs none of them, since its partner holds its objects; a node and its partner lost together cost all of them.</summary>
public sealed record MemoryCheckpointSpec
{
    /// <summary>As checkpoint.every: "auto" (from the measured stall and failure rate), {steps: n} or {minutes: n}; more often than the store's.</summary>
    public CheckpointInterval Every { get; set; } = new();
}

/// <summary>How snapshots reach the store.</summary>
public sealed record UploadSpec
{
    /// <summary>What becomes of a save that is due while the last one is still being uploaded: wait (it is made when that one is done) or skip (the next one is due an interval later).</summary>
    public BusyUpload WhenBusy { get; set; } = BusyUpload.Wait;

    /// <summary>An upload that takes longer is given up and its save reported as failed; so no save waits for ever.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan AtMost { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>Most bytes a second that each worker uploads. Absent: no limit.</summary>
    public long? BytesPerSecond { get; init; }
}

/// <summary>What to do with a save that is due while another is being uploaded.</summary>
public enum BusyUpload { Wait, Skip }

/// <summary>Exactly one kind of store.</summary>
public sealed record StoreSpec
{
    /// <summary>A container of an Azure storage account.</summary>
    public AzureBlobStoreSpec? AzureBlob { get; init; }

    /// <summary>A folder that every pod mounts.</summary>
    public DirectoryStoreSpec? Directory { get; init; }
}

/// <summary>A container of an Azure storage account. Credentials: secretRef, or workload identity without it.</summary>
public sealed record AzureBlobStoreSpec
{
    /// <summary>Storage account name.</summary>
    public required string Account { get; init; }

    /// <summary>Container; created when absent and permitted.</summary>
    public required string Container { get; init; }

    /// <summary>Folder within the container.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>Blob endpoint when it is not https://ACCOUNT.blob.core.windows.net (sovereign clouds, Azurite).</summary>
    public string? Endpoint { get; init; }

    /// <summary>Secret in the job's namespace with one of the keys connectionString, sasToken, accountKey.</summary>
    public SecretReference? SecretRef { get; init; }
}

/// <summary>A Secret by name.</summary>
public sealed record SecretReference
{
    /// <summary>Name of the Secret.</summary>
    public required string Name { get; init; }
}

/// <summary>A folder in the pod, mounted through the pod template and shared by all pods.</summary>
public sealed record DirectoryStoreSpec
{
    /// <summary>Absolute path in the pod.</summary>
    public required string Path { get; init; }
}

/// <summary>How often to save. Neither field set: auto.</summary>
[JsonConverter(typeof(CheckpointIntervalConverter))]
public sealed record CheckpointInterval
{
    public int? Steps { get; init; }
    public double? Minutes { get; init; }

    [JsonIgnore]
    public bool IsAuto => Steps is null && Minutes is null;
}

/// <summary>Which checkpoints retention keeps, besides the last two healthy ones.</summary>
public sealed record RetentionSpec
{
    /// <summary>Keep this many of the newest.</summary>
    public int Last { get; set; } = 4;

    /// <summary>Also keep every checkpoint whose step is a multiple of this; 0 for none.</summary>
    public int EverySteps { get; set; } = 5000;
}

/// <summary>A checkpoint turns Healthy once this many good steps followed it. A step is not good either when its update was applied although its loss or gradient was not finite.</summary>
public sealed record HealthSpec
{
    /// <summary>Good steps that must follow.</summary>
    public int AfterSteps { get; set; } = 50;

    /// <summary>Lowest loss scale during those steps (fp16 only).</summary>
    public double LossScaleAtLeast { get; set; } = 0.5;

    /// <summary>A step is not good while the loss (median of 9 steps) stands this many robust deviations above its median over up to 191 steps before; 0: not looked at.</summary>
    public double LossSpike { get; set; } = 4;

    /// <summary>
    /// A step is not good while the gradient norm grew by this factor over 200 steps, newest quarter against oldest, the activation norm by a tenth of that growth, and
    /// the loss did not fall; 0: not looked at.
    /// </summary>
    public double NormDrift { get; set; } = 1.3;
}
