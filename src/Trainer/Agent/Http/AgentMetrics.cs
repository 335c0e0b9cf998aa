using System.Globalization;
using System.Text;
using Opt.Api.Protocol;
using Opt.Trainer.Model;

namespace Opt.Trainer.Agent.Http;

/// <summary>The status as Prometheus text. Every series is there from the start; label values come from enums and ranks of this node.</summary>
internal static class AgentMetrics
{
    /// <param name="plan">Of the epoch that runs, or null.</param>
    public static string Render(AgentStatus status, RunPlan? plan)
    {
        var text = new StringBuilder();
        Gauge(text, "opt_agent_epoch", "Highest epoch seen.", status.Epoch);
        Header(text, "opt_agent_state", "1 for what the agent is doing.");
        foreach (var state in Enum.GetValues<AgentState>()) Sample(text, $"opt_agent_state{{state=\"{state}\"}}", status.State == state ? 1 : 0);
        Gauge(text, "opt_store_reachable", "Whether the checkpoint store can be read.", status.Store.Reachable ? 1 : 0);
        Header(text, "opt_store_failures_total", "Looks at the checkpoint store that failed.", "counter");
        Sample(text, "opt_store_failures_total", status.Store.Failures);
        Header(text, "opt_worker_up", "1 while the worker of a rank runs.");
        foreach (var worker in status.Workers) Sample(text, string.Create(CultureInfo.InvariantCulture, $"opt_worker_up{{rank=\"{worker.Rank}\"}}"), worker.State == WorkerState.Exited ? 0 : 1);
        Header(text, "opt_worker_restore_progress", "Share of a rank's restore that is done, 0 to 1, while it restores.");
        foreach (var worker in status.Workers.Where(w => w.RestoreProgress is not null)) Sample(text, string.Create(CultureInfo.InvariantCulture, $"opt_worker_restore_progress{{rank=\"{worker.Rank}\"}}"), worker.RestoreProgress!.Value);
        Header(text, "opt_device_healthy", "1 for a healthy accelerator.");
        foreach (var device in status.Devices) Sample(text, string.Create(CultureInfo.InvariantCulture, $"opt_device_healthy{{index=\"{device.Index}\"}}"), device.Healthy ? 1 : 0);
        Gauge(text, "opt_attempt", "Newest attempt any worker of this node finished.", status.LastAttempt);
        if (status.LastStep is { } step) Training(text, step, plan);
        return text.ToString();
    }

    /// <summary>Of rank 0's node only.</summary>
    private static void Training(StringBuilder text, StepRecord step, RunPlan? plan)
    {
        Gauge(text, "opt_step", "Successful updates.", step.Step);
        Gauge(text, "opt_tokens", "Tokens consumed.", step.Tokens);
        Gauge(text, "opt_loss_nats", "Mean loss of the newest attempt.", step.Loss ?? double.NaN);
        Gauge(text, "opt_learning_rate", "Learning rate of the newest attempt.", step.LearningRate);
        Gauge(text, "opt_loss_scale", "Loss scale of the newest attempt.", step.LossScale);
        Gauge(text, "opt_gradient_norm", "Global gradient norm before clipping.", step.GradientNorm ?? double.NaN);
        Gauge(text, "opt_step_seconds", "Wall time of the newest attempt.", step.Seconds);
        Gauge(text, "opt_checkpoint_stall_seconds", "Time the newest attempt stood still for a snapshot.", step.Timing.CheckpointStall);
        Gauge(text, "opt_activation_norm", "Mean norm of the last block's output.", step.ActivationNorm ?? double.NaN);
        Gauge(text, "opt_step_skipped", "1 when the newest attempt's update was skipped for a gradient that is not finite.", step.Skipped ? 1 : 0);
        Gauge(text, "opt_tokens_per_second", "Throughput of the newest attempt.", step.TokensPerSecond);
        Parts(text, step.Timing);
        if (step.Saves is { } saves) Saves(text, saves);
        if (step.Validation.Count > 0) Header(text, "opt_validation_loss_nats", "Mean loss on a corpus kept aside, by its place in the spec.");
        for (var i = 0; i < step.Validation.Count; i++) Sample(text, string.Create(CultureInfo.InvariantCulture, $"opt_validation_loss_nats{{index=\"{i}\"}}"), step.Validation[i].Loss);
        if (plan is null) return;
        Gauge(text, "opt_accelerators", "Workers of the job.", plan.WorldSize);
        Gauge(text, "opt_model_flops", "Model FLOPs a second of the whole job, without recomputation: utilisation is this by accelerators and peak.",
            step.TokensPerSecond * ModelFlops.WithoutRecomputation(plan.Training.Model, plan.Training.SequenceLength));
    }

    private static void Parts(StringBuilder text, StepTiming timing)
    {
        Header(text, "opt_step_part_seconds", "Parts of the newest attempt on rank 0; communication is what the computation waited for.");
        foreach (var (part, seconds) in new[] { ("data", timing.Data), ("forward", timing.Forward), ("backward", timing.Backward), ("communication", timing.ExposedCommunication), ("optimizer", timing.Optimizer), ("checkpoint", timing.CheckpointStall) })
        {
            Sample(text, $"opt_step_part_seconds{{part=\"{part}\"}}", seconds);
        }
    }

    private static void Saves(StringBuilder text, SaveCounts saves)
    {
        Header(text, "opt_checkpoint_saves", "Saves of this launch by what became of them; late and skipped ones were due while another was being uploaded.");
        foreach (var (outcome, count) in new[] { ("committed", saves.Committed), ("memory", saves.InMemory), ("failed", saves.Failed), ("skipped", saves.Skipped), ("late", saves.Late) })
        {
            Sample(text, $"opt_checkpoint_saves{{outcome=\"{outcome}\"}}", count);
        }
    }

    private static void Gauge(StringBuilder text, string name, string help, double value)
    {
        Header(text, name, help);
        Sample(text, name, value);
    }

    private static void Header(StringBuilder text, string name, string help, string type = "gauge") => text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");

    private static void Sample(StringBuilder text, string series, double value) => text.Append(CultureInfo.InvariantCulture, $"{series} {value:R}\n");
}
