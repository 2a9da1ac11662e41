<?php

// Runs the command that the manual shows, as the platform's scheduler does: its class is in the file that the first argument
// names. The second names a file to which each notification's key is added, as a mail server gets its mails: at once, and
// whether or not the database's transaction commits. Prints a line when it begins, and one with each mail; it goes on once it
// gets a line, or there is nobody who would send one.

declare(strict_types=1);

namespace {
    $capsule = require __DIR__ . '/platform.php';
    // As on a platform that reads from replicas. This one is not there, so nothing may be read from it.
    $its = $capsule->getContainer()['config']['database.connections']['default'];
    $capsule->addConnection(['read' => ['host' => '/nowhere'], 'write' => ['host' => $its['host']]] + $its);
    foreach (['Bus', 'Config', 'Console', 'Notifications'] as $part) {
        require_once "Illuminate/{$part}/autoload.php";
    }
    require_once 'Illuminate/Foundation/helpers.php';
}

namespace App\Models {
    use Illuminate\Database\Eloquent\Model;
    use Illuminate\Notifications\Notifiable;

    class User extends Model
    {
        use Notifiable;

        public $timestamps = false;
    }

    class OperationRun extends Model
    {
        public function user()
        {
            return $this->belongsTo(User::class);
        }
    }
}

namespace App\Notifications {
    use App\Models\OperationRun;
    use Illuminate\Contracts\Queue\ShouldQueue;
    use Illuminate\Notifications\Notification;

    // There is no queue here: it must be sent at once.
    class OperationRunCompleted extends Notification implements ShouldQueue
    {
        public function __construct(public OperationRun $run)
        {
        }

        public function via($user): array
        {
            return ['mail', 'database'];
        }

        public function toArray($user): array
        {
            return ['run' => $this->run->id, 'outcome' => $this->run->outcome];
        }
    }
}

namespace {
    use Illuminate\Container\Container;
    use Illuminate\Contracts\Events\Dispatcher as Events;
    use Illuminate\Contracts\Notifications\Dispatcher as Notifications;
    use Illuminate\Contracts\Bus\Dispatcher as Bus;
    use Illuminate\Notifications\ChannelManager;
    use Illuminate\Support\Facades\Facade;
    use Symfony\Component\Console\Input\ArrayInput;
    use Symfony\Component\Console\Output\NullOutput;

    $mails = $argv[2];
    $app = Container::getInstance();
    $app->instance('db', $capsule->getDatabaseManager());
    $app->instance(Events::class, $capsule->getEventDispatcher());
    $app->instance(Bus::class, new \Illuminate\Bus\Dispatcher($app));
    $app->instance('config', new \Illuminate\Config\Repository());
    $app->singleton(Notifications::class, function ($app) use ($mails) {
        $channels = new ChannelManager($app);
        $channels->extend('mail', fn () => new class($mails) {
            public function __construct(private string $mails)
            {
            }

            public function send($user, $notification): void
            {
                file_put_contents($this->mails, $notification->id . "\n", FILE_APPEND | LOCK_EX);
                echo "mail\n";
                fgets(STDIN);
            }
        });

        return $channels;
    });
    Facade::setFacadeApplication($app);

    require $argv[1];
    $command = new \App\Console\Commands\TellVerdicts();
    $command->setLaravel($app);
    echo "begins\n";
    exit($command->run(new ArrayInput([]), new NullOutput()));
}
