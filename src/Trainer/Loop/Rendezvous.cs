using System.Globalization;
using System.Text;
using Opt.Api.Protocol;
using Opt.Torch;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Loop;

/// <summary>How the ranks of an epoch find each other: the store of rank 0's agent, then a comparison of job, epoch and plan, then the groups.</summary>
internal static class Rendezvous
{
    /// <summary>Deadline of each meeting.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    /// <summary>Deadline of a collective while training. A hang is noticed sooner, by the operator.</summary>
    public static readonly TimeSpan CollectiveTimeout = TimeSpan.FromMinutes(10);

    /// <summary>Connects and compares job, epoch, plan and data with rank 0's.</summary>
    /// <param name="data">Digest of what this rank would read.</param>
    /// <exception cref="TrainerException">
    /// Rendezvous: nobody answered in time, or a rank runs another job, epoch or plan. Data: this rank would read other data than rank 0.
    /// </exception>
    public static distributed.Store Connect(RunPlan plan, int rank, string data)
    {
        var store = Open(plan);
        try
        {
            Compare(store, plan, rank, data);
            return store;
        }
        catch (TorchException e)
        {
            throw Failed(plan, e);
        }
    }

    /// <summary>A further connection to the store.</summary>
    /// <exception cref="TrainerException">Rendezvous: nobody answered in time.</exception>
    public static distributed.Store Open(RunPlan plan)
    {
        try
        {
            return new distributed.TCPStore(plan.Members[0].PodIp, plan.RendezvousPort, is_server: false, Deadline);
        }
        catch (TorchException e)
        {
            throw Failed(plan, e);
        }
    }

    /// <summary>Joins the groups of the plan's layout.</summary>
    /// <exception cref="TrainerException">Rendezvous: some rank did not come in time.</exception>
    public static World Join(distributed.Store store, RunPlan plan, Mesh mesh, Device device, TimeProvider time)
    {
        var address = plan.Members[mesh.Rank / plan.WorkersPerMember].PodIp;
        try
        {
            var options = new WorldOptions(CollectiveTimeout) { CheckCollectives = Environment.GetEnvironmentVariable(WorldOptions.CheckVariable) == "1" };
            return World.Join(store, mesh, address, device, options, time);
        }
        catch (TorchException e)
        {
            throw new TrainerException(WorkerExit.Rendezvous, $"rank {mesh.Rank} could not join the groups of epoch {plan.Epoch}: {FirstLine(e.Message)}", e);
        }
    }

    private static void Compare(distributed.Store store, RunPlan plan, int rank, string data)
    {
        var mine = $"{plan.JobUid} epoch {plan.Epoch} plan {plan.Id.Digest}";
        if (rank == 0)
        {
            store.set("identity", mine);
            store.set("data", data);
            return;
        }

        var theirs = Encoding.UTF8.GetString(store.get("identity"));
        if (theirs != mine) throw new TrainerException(WorkerExit.Rendezvous, $"rank {rank} runs {mine}, rank 0 runs {theirs}");
        var read = Encoding.UTF8.GetString(store.get("data"));
        if (read != data) throw new TrainerException(WorkerExit.Data, $"rank {rank} would read other data than rank 0 (digest of corpora, order and seed: {data[..12]} here, {read[..12]} there): the copies of the corpora on the two nodes differ");
    }

    private static TrainerException Failed(RunPlan plan, TorchException e) => new(WorkerExit.Rendezvous,
        $"no rendezvous at {plan.Members[0].PodIp}:{plan.RendezvousPort.ToString(CultureInfo.InvariantCulture)} for epoch {plan.Epoch}: {FirstLine(e.Message)}", e);

    private static string FirstLine(string text) => text.Split('\n', 2)[0];
}
